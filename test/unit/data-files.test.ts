import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { loadPrompts } from '../../src/data/load-prompts.ts'
import type { Message } from '../../src/data/prompt.ts'
import { PromptStream } from '../../src/data/prompt-stream.ts'
import { loadEvaluationSets } from '../../src/evaluate/evaluation-sets.ts'
import { MathVerifier } from '../../src/verify/math/math-verifier.ts'

const file = (name: string) => fileURLToPath(new URL(`../golden/data/${name}`, import.meta.url))
const tokenizer = {
  chatPrompt: (messages: Message[]) => ({ text: '', tokenIds: new Int32Array(messages[0]!.content.length) }),
}
const options = { tokenizer, maxPromptLength: 10_000 }

test('AIME24 and AIME25 are read as they are', async (t) => {
  const sets = await loadEvaluationSets([file('aime24.parquet'), file('aime25.parquet')], options, 'data')
  t.deepEqual(
    sets.map(({ name, prompts, dropped }) => [
      name,
      prompts.length,
      new Set(prompts.map(({ source }) => source)),
      dropped,
    ]),
    ['24', '25'].map((year) => [
      `aime${year}`,
      30,
      new Set([`test-math-aime${year}`]),
      { tooLong: 0, duplicates: 0, contaminated: 0 },
    ]),
  )
  const [aya, bases] = sets.map(({ prompts }) => prompts[0]!)
  t.regex(aya!.messages[0]!.content, /^Every morning Aya goes for a \$9\$-kilometer-long walk/)
  t.is(aya!.answer, '204')
  t.deepEqual(aya!.extra, { ability: 'math', extra_info: { index: 0, split: 'test' } })
  t.is(
    bases!.messages[0]!.content,
    'Find the sum of all integer bases $b>9$ for which $17_{b}$ is a divisor of $97_{b}$.',
  )
  t.is(bases!.answer, '70')
  const verifier = new MathVerifier()
  for (const prompt of sets.flatMap(({ prompts }) => prompts)) {
    const sample = { answer: prompt.answer, prompt, truncated: false }
    t.true((await verifier.verify({ ...sample, response: `So \\boxed{${prompt.answer}}` })).correct, prompt.id)
    t.false((await verifier.verify({ ...sample, response: '\\boxed{1000}' })).correct, prompt.id)
  }
})

test('one suffix for problems with the instruction and without', async (t) => {
  const promptSuffix = " Let's think step by step and output the final answer within \\boxed{}."
  const sets = await loadEvaluationSets(
    [file('aime24.parquet'), file('aime25.parquet')],
    { ...options, promptSuffix },
    'data',
  )
  for (const { messages } of sets.flatMap(({ prompts }) => prompts))
    t.is(messages[0]!.content.split(promptSuffix.trim()).length, 2)
})

test('of two AIME years neither repeats the other in more than a phrase, but each repeats itself', async (t) => {
  const [aime24, aime25] = [file('aime24.parquet'), file('aime25.parquet')]
  const left = async (path: string, against: string[]) =>
    (await loadPrompts(path, { ...options, decontaminate: { against, ngram: 10 } })).prompts.length
  t.true((await left(aime25, [aime24])) >= 20)
  t.is(await left(file('gsm8k.jsonl'), [aime24, aime25]), 2)
  await t.throwsAsync(left(aime24, [aime24]), { message: /30 in the evaluation data/ })
})

test("GSM8K's rows", async (t) => {
  const { prompts } = await loadPrompts(file('gsm8k.jsonl'), options)
  t.deepEqual(
    prompts.map(({ answer, source }) => [answer, source]),
    [
      ['18', 'gsm8k'],
      ['3', 'gsm8k'],
    ],
  )
})

test('two sets of one name are refused', async (t) => {
  await t.throwsAsync(loadEvaluationSets(['a/x.jsonl', 'b/x.parquet'], options, 'evaluation.data'), {
    message: "'evaluation.data': a/x.jsonl and b/x.parquet would both be eval/x in the metrics; rename one",
  })
})

test('files with weights are drawn by them', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'magic-grpo-mixture-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const small = join(folder, 'small.jsonl')
  await writeFile(small, '{"prompt":"1+1?","answer":"2"}\n')
  const { prompts } = await loadPrompts(
    [
      { path: file('gsm8k.jsonl'), weight: 0.5 },
      { path: small, weight: 1.5 },
    ],
    options,
  )
  t.deepEqual(
    prompts.map(({ mixture }) => mixture?.weight),
    [0.5, 0.5, 1.5],
  )
  const drawn = new PromptStream(prompts, { seed: 1 }).next(40)
  t.is(drawn.filter(({ source }) => source === 'small').length, 30)
  t.is((await loadPrompts([small], options)).prompts[0]!.mixture, undefined)
})
