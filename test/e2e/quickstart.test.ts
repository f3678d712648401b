import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { prepareQuickstart } from '../../src/cli/quickstart.ts'
import { loadTrainConfig } from '../../src/config/train-config.ts'
import type { RolloutLine } from '../../src/metrics/rollout-records.ts'
import type { Metrics } from '../../src/metrics/step-metrics.ts'
import { Policy } from '../../src/policy/policy.ts'
import { Tokenizer } from '../../src/tokenizer/tokenizer.ts'
import type { RunSummary } from '../../src/train/run.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
// As the command itself does, before the native core is loaded here or in a command.
process.env.OMP_NUM_THREADS ??= '1'
const env = { ...process.env, NO_COLOR: '1' }

// A minute or less each where the machine is free; for one that is not.
const minutes = (count: number) => count * 60_000

let folder: string
let config: string

/** The recipe reads and writes beside its own folder, so a copy of it makes a quickstart of its own. */
test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'magic-quickstart-'))
  config = join(folder, 'examples', 'quickstart.yaml')
  await mkdir(join(folder, 'examples'))
  await copyFile(join(root, 'examples', 'quickstart.yaml'), config)
})

test.after.always(() => rm(folder, { recursive: true, force: true }))

function train(...args: string[]): Promise<{ code: number; output: string }> {
  const command = ['--import=tsx', join(root, 'src/cli/main.ts'), 'train', '-c', config, ...args]
  return new Promise((resolve) => {
    execFile(process.execPath, command, { cwd: root, env }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? -1) : 0, output: stdout + stderr }),
    )
  })
}

async function readLines<T>(path: string): Promise<T[]> {
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n')
  return lines.map((line) => JSON.parse(line) as T)
}

const sum = (prompt: string) => prompt.match(/\d+/g)!.map(Number).sort().join('+')

test.serial('its base model answers some sums; no set of sums has any of another', async (t) => {
  t.timeout(minutes(20))
  const notes: string[] = []
  await prepareQuickstart(config, { note: (text) => notes.push(text) })
  t.regex(notes.join('\n'), /supervised step 420\/420 {2}loss 0\.\d+/)

  const { model, data, evaluation } = await loadTrainConfig({ file: config })
  const supervisedPath = join(folder, 'runs/quickstart/data/supervised.jsonl')
  const supervised = await readLines<{ prompt: string; response: string }>(supervisedPath)
  const trained = await readLines<{ prompt: string; answer: string }>(data.train as string)
  const heldout = await readLines<{ prompt: string; answer: string }>(evaluation.data as string)
  const sets = [supervised, trained, heldout].map((rows) => new Set(rows.map(({ prompt }) => sum(prompt))))
  t.is(new Set(sets.flatMap((set) => [...set])).size, sets[0]!.size + sets[1]!.size + sets[2]!.size)
  t.is(heldout.length, 100)
  for (const { prompt, answer } of [...trained, ...heldout]) {
    const [a, b] = prompt
      .match(/^(\d\d)\+(\d\d)=$/)!
      .slice(1)
      .map(Number)
    t.is(answer, String(a! + b!))
  }
  const right = supervised.filter(({ prompt, response }) => {
    const [a, b] = prompt.match(/\d+/g)!.map(Number)
    return response.endsWith(`\\boxed{${a! + b!}}`)
  })
  const share = right.length / supervised.length
  t.true(share > 0.3 && share < 0.5, `${share} of the worked sums are right`)

  const tokenizer = await Tokenizer.load(model)
  const { prompt, response } = supervised[0]!
  t.is(tokenizer.decode(tokenizer.encode(prompt + response)), prompt + response)
  t.deepEqual(tokenizer.stopTokenIds, [1])
})

test.serial('rewards raise its accuracy from below 0.5 to above 0.9, and entropy stays', async (t) => {
  t.timeout(minutes(20))
  const { code, output } = await train('steps=45', 'checkpointEvery=15', 'evaluation.samples=4')
  t.is(code, 0, output)
  const run = join(folder, 'runs/quickstart/run')
  const summary: RunSummary = JSON.parse(await readFile(join(run, 'summary.json'), 'utf8'))
  t.is(summary.steps, 45)
  t.true(summary.seconds > 0)
  t.is(summary.interrupted, false)
  t.true(summary.accuracyBefore! > 0.2 && summary.accuracyBefore! < 0.5, `before: ${summary.accuracyBefore}`)
  t.true(summary.accuracyAfter! > 0.9, `after: ${summary.accuracyAfter}`)
  t.log(`accuracy ${summary.accuracyBefore} before, ${summary.accuracyAfter} after`)

  const metrics = await readLines<Metrics>(join(run, 'metrics.jsonl'))
  t.deepEqual(
    metrics.map(({ step }) => step),
    Array.from({ length: 45 }, (_, index) => index + 1),
  )
  const entropy = metrics.slice(-10).reduce((total, line) => total + line['actor/entropy']! / 10, 0)
  t.true(entropy > 0.02, `entropy of the last ten steps: ${entropy}`)
  t.true(metrics.every((line) => line['actor/updates_skipped'] === 0))

  t.regex(output, /step 45\/45 {2}reward [01]\.\d+ {2}accuracy/, 'a progress line')
  t.regex(output, /prompt +response +answer +reward/, 'a table of samples')
  t.regex(output, /\d\d\+\d\d= +\d\+\d=\d+ .*\\boxed\{\d+\} +\d+ +[01]\n/)
  t.regex(output, /accuracy \(avg@4, held-out\): 0\.\d+ before, \d\.\d+ after/)
  t.true(output.includes(`picture: ${summary.picture}`))

  const rollouts = await readLines<RolloutLine>(join(run, 'rollouts', 'step-000045.jsonl'))
  t.is(rollouts.length, 64 * 8)
  t.true(rollouts.every(({ reward, verdict }) => reward === (verdict.correct ? 1 : 0)))

  const picture = await readFile(summary.picture, 'utf8')
  t.regex(picture, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/)
  t.deepEqual(unclosed(picture), [], 'every element is closed')
  for (const metric of ['reward/mean', 'actor/entropy', 'actor/entropy_coefficient']) {
    const points = picture.match(new RegExp(`data-metric="${metric}"[\\s\\S]*?stroke-width="2"[^>]* points="([^"]*)"`))
    t.is(points![1]!.split(' ').length, 45, `${metric}: a point for each step`)
  }

  t.deepEqual((await readdir(join(run, 'checkpoints'))).sort(), ['step-000030', 'step-000045'])
  const policy = await Policy.load(summary.checkpoint!)
  const tokenizer = await Tokenizer.load(summary.checkpoint!)
  const [answer] = await policy.generate([{ promptTokenIds: tokenizer.encode('47+38=') }], {
    ...{ maxNewTokens: 48, temperature: 0, stopTokenIds: tokenizer.stopTokenIds },
  })
  t.regex(tokenizer.decode(answer!.completions[0]!.tokenIds), /^\d\+\d=15 \d\+\d\+1=8 \\boxed\{85\}<eos>$/)
  policy.dispose()
})

test.serial(
  'the recipe trains the same base model again, into another folder, and goes on with --resume',
  async (t) => {
    t.timeout(minutes(10))
    const output = join(folder, 'again')
    const first = await train(`output=${output}`, 'steps=4', 'checkpointEvery=2', 'evaluation.samples=1')
    t.is(first.code, 0, first.output)
    t.deepEqual((await readdir(join(output, 'checkpoints'))).sort(), ['step-000002', 'step-000004'])

    const second = await train(`output=${output}`, 'steps=6', 'checkpointEvery=2', 'evaluation.samples=1', '--resume')
    t.is(second.code, 0, second.output)
    t.regex(second.output, /resuming after step 4/)
    const metrics = await readLines<Metrics>(join(output, 'metrics.jsonl'))
    t.deepEqual(
      metrics.map(({ step }) => step),
      [1, 2, 3, 4, 5, 6],
    )
    // The same seed and the same base model: the steps are those of the run before.
    const before = await readLines<Metrics>(join(folder, 'runs/quickstart/run/metrics.jsonl'))
    t.is(metrics[0]!['reward/mean'], before[0]!['reward/mean'])
    const summary: RunSummary = JSON.parse(await readFile(join(output, 'summary.json'), 'utf8'))
    t.is(summary.steps, 6)
    t.true(summary.accuracyAfter! > summary.accuracyBefore!)
  },
)

/** Elements of an XML text that are opened and not closed in their order, and what is left outside of any tag. */
function unclosed(xml: string): string[] {
  const open: string[] = []
  for (const [, closing, name, attributes, selfClosing] of xml.matchAll(
    /<(\/?)([\w-]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/g,
  )) {
    if (attributes === undefined || selfClosing) continue
    if (!closing) open.push(name!)
    else if (open.pop() !== name) return [`</${name}>`]
  }
  const rest = xml.replace(/<(\/?)([\w-]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/g, '')
  return [...open, ...(rest.match(/<[^\n]*/g) ?? [])]
}
