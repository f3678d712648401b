import { basename, resolve } from 'node:path'
import type { Message, Prompt } from '../data/prompt.ts'
import { type Row, readRows } from '../data/rows.ts'
import { writeAtomic } from '../metrics/atomic-write.ts'
import { terminalText } from '../metrics/terminal-text.ts'
import type { RewardSample, Verdict, Verifier } from '../verify/verifier.ts'
import { interruptSignal } from './interrupt.ts'
import { chooseVerifier } from './verifier-option.ts'

/** Rows graded at a time: enough for every worker, few enough for memory. */
const IN_FLIGHT = 64

/** `magic-grpo verify`: scores the responses of a file. */
export async function verifyFile(options: {
  file: string
  verifier: string
  extraction?: 'boxed' | 'any'
  out?: string
  explain?: number
}): Promise<void> {
  const rows = await readRows(options.file)
  const samples = rows.map(readSample)
  const { verifier } = await chooseVerifier(options.verifier, options.extraction)
  const interrupt = interruptSignal(() => {})
  try {
    if (options.explain !== undefined) {
      await explain(verifier, rows, samples, options.explain, interrupt.signal)
      return
    }
    const start = performance.now()
    const verdicts = await grade(verifier, rows, samples, interrupt.signal)
    const seconds = (performance.now() - start) / 1000
    if (options.out !== undefined) {
      const lines = rows.map(
        ({ fields }, i) => `${JSON.stringify({ ...fields, reward: verdicts[i]!.reward, verdict: verdicts[i] })}\n`,
      )
      await writeAtomic(resolve(options.out), lines.join(''))
    }
    process.stdout.write(`${summary(samples, verdicts, seconds)}\n`)
  } finally {
    interrupt.release()
  }
}

function readSample({ where, fields }: Row): RewardSample {
  const { response, ground_truth, prompt, data_source, ...extra } = fields
  const fail = (field: string, value: unknown, what: string) => {
    const found = value === undefined ? 'missing' : (JSON.stringify(value) ?? String(value)).slice(0, 100)
    return new Error(`${where}: ${field} is ${found}: ${what}`)
  }
  if (typeof response !== 'string') throw fail('response', response, 'it must be the text to grade')
  if (ground_truth === undefined || ground_truth === null) {
    throw fail(
      'ground_truth',
      ground_truth ?? undefined,
      'it must be a text, a list of acceptable ones, or an object of tests',
    )
  }
  const { precision } = extra
  if (
    precision !== undefined &&
    !(Number.isInteger(precision) && (precision as number) >= 0 && (precision as number) <= 100)
  ) {
    throw fail('precision', precision, 'it must be a number of decimal places, 0 to 100')
  }
  if (data_source !== undefined && typeof data_source !== 'string')
    throw fail('data_source', data_source, 'it must be a text')
  const asked: Prompt = {
    id: where,
    messages: readMessages(prompt) ?? [],
    tokenIds: new Int32Array(),
    answer: ground_truth,
    source: data_source ?? '',
    extra,
  }
  if (prompt !== undefined && !readMessages(prompt))
    throw fail('prompt', prompt, 'it must be a text or a list of { role, content }')
  return { response, answer: ground_truth, prompt: asked, truncated: false }
}

function readMessages(prompt: unknown): Message[] | null {
  if (typeof prompt === 'string') return [{ role: 'user', content: prompt }]
  const isMessage = (value: unknown): value is Message =>
    typeof (value as Message | null)?.role === 'string' && typeof (value as Message).content === 'string'
  return Array.isArray(prompt) && prompt.every(isMessage) ? prompt : null
}

/** The verdicts in the order of the rows. */
async function grade(
  verifier: Verifier,
  rows: Row[],
  samples: RewardSample[],
  signal: AbortSignal,
): Promise<Verdict[]> {
  const verdicts: Verdict[] = []
  let next = 0
  const work = async () => {
    for (let i = next++; i < samples.length; i = next++) {
      try {
        verdicts[i] = await verifier.verify(samples[i]!, signal)
      } catch (error) {
        // the rows after it need no answer
        next = samples.length
        throw withPlace(error, rows[i]!.where)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(IN_FLIGHT, samples.length) }, work))
  return verdicts
}

function withPlace(error: unknown, where: string): unknown {
  if (!(error instanceof Error) || error.name === 'AbortError' || error.message.includes(where)) return error
  return new Error(`${where}: ${error.message}`, { cause: error })
}

async function explain(
  verifier: Verifier,
  rows: Row[],
  samples: RewardSample[],
  line: number,
  signal: AbortSignal,
): Promise<void> {
  const at = rows.findIndex(({ where }) => where.endsWith(`:${line}`) || where.endsWith(`, row ${line}`))
  if (at < 0) throw new Error(`--explain ${line}: the file has no row in line ${line}`)
  const verdict = await verifier.verify(samples[at]!, signal)
  const told = (await verifier.explain?.(samples[at]!)) ?? []
  const { reward, correct, extracted, reason, isolation } = verdict
  const lines = [
    `${basename(rows[at]!.where)}: reward ${reward}, ${correct ? 'correct' : 'wrong'}`,
    ...(told.length > 0 ? told : [`extracted: ${extracted ?? 'nothing'}`]),
    ...(isolation === undefined ? [] : [`isolation: ${isolation}`]),
    ...(reason === undefined ? [] : [`reason: ${reason}`]),
  ]
  process.stdout.write(terminalText(`${lines.join('\n')}\n`))
}

function summary(samples: RewardSample[], verdicts: Verdict[], seconds: number): string {
  const groups = new Map<string, Verdict[]>()
  samples.forEach(({ prompt }, i) => {
    groups.set(prompt.source, [...(groups.get(prompt.source) ?? []), verdicts[i]!])
  })
  const named = [...groups].filter(([source]) => source !== '').sort(([a], [b]) => (a < b ? -1 : 1))
  const shared = (group: Verdict[]) => group.filter(({ isolation }) => isolation === 'shared').length
  const row = (source: string, group: Verdict[]) => [
    ...figures(source, group),
    ...(shared(verdicts) > 0 ? [String(shared(group))] : []),
  ]
  const table = [
    [
      'data source',
      'rows',
      'correct',
      'accuracy',
      'mean reward',
      'no answer',
      ...(shared(verdicts) > 0 ? ['shared'] : []),
    ],
    ...named.map(([source, group]) => row(source, group)),
    row('all', verdicts),
  ]
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)))
  const lines = table.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '),
  )
  const each = verdicts.length === 0 ? '' : `, ${((seconds * 1000) / verdicts.length).toFixed(2)} ms a row`
  return terminalText([...lines, `${seconds.toFixed(2)} s${each}`].join('\n'))
}

function figures(source: string, verdicts: Verdict[]): string[] {
  const share = (sum: number) => (verdicts.length === 0 ? '-' : (sum / verdicts.length).toFixed(4))
  const correct = verdicts.filter((verdict) => verdict.correct).length
  const reward = verdicts.reduce((sum, verdict) => sum + verdict.reward, 0)
  const empty = verdicts.filter(({ extracted }) => extracted === undefined).length
  return [source.slice(0, 40), String(verdicts.length), String(correct), share(correct), share(reward), String(empty)]
}
