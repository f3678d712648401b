import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { sftSchema } from '../../src/config/schema.ts'
import { Policy } from '../../src/policy/policy.ts'
import { Tokenizer } from '../../src/tokenizer/tokenizer.ts'
import { sft } from '../../src/train/sft.ts'
import { encodeExample, loadExamples } from '../../src/train/sft-examples.ts'
import { stats } from '../unit/fixtures.ts'
import { tinyRun } from './tiny-run.ts'

const defaults = sftSchema.parse({ model: '-', output: '-', data: { train: '-' } })

async function parts(t: ExecutionContext) {
  const { folder } = await tinyRun(t)
  const tokenizer = await Tokenizer.load(join(folder, 'base'))
  const policy = await Policy.load(join(folder, 'base'))
  t.teardown(() => policy.dispose())
  return { folder, tokenizer, policy }
}

test('the loss is the mean of -log-prob, and one step follows its gradient', async (t) => {
  const { tokenizer, policy } = await parts(t)
  const example = encodeExample([{ role: 'user', content: '1+1=' }], '2', tokenizer)
  t.deepEqual([...example.completionTokenIds], [4, 1], 'the response ends with the stop token')
  const batch = {
    tokenIds: Int32Array.of(...example.promptTokenIds, ...example.completionTokenIds),
    offsets: Int32Array.of(0, 6),
    promptLengths: Int32Array.of(4),
  }
  const loss = async () => {
    const { logprobs } = await policy.score(batch)
    return -logprobs.reduce((sum, value) => sum + value, 0) / logprobs.length
  }
  const before = await loss()
  const name = 'model.embed_tokens.weight'
  const weights = await policy.parameter(name)
  // With epsilon far above the gradient and no decay, a first AdamW step is -rate / epsilon times the gradient.
  const config = {
    ...defaults,
    steps: 1,
    batchSize: 1,
    learningRate: 100,
    epsilon: 1e6,
    weightDecay: 0,
    maxGradNorm: 0,
  }
  // Of an on-policy step with these advantages the loss is that of supervised fine-tuning but for a constant.
  await policy.computeGradients({ ...batch, advantages: new Float32Array([1]) })
  const gradient = await policy.gradient(name)
  const [line] = await sft({ policy, examples: [example], config })
  t.true(Math.abs(line!['sft/loss']! - before) < 1e-5)
  const moved = await policy.parameter(name)
  const squared = gradient.reduce((sum, value) => sum + value * value, 0)
  const step = moved.reduce((sum, value, index) => sum + (value - weights[index]!) * gradient[index]!, 0)
  t.true(step < 0 && Math.abs(step / squared + 1e-4) < 2e-5, `moved along the gradient by ${step / squared}`)
  t.true((await loss()) < before)
})

test('examples are learned by heart', async (t) => {
  const { folder, tokenizer, policy } = await parts(t)
  const path = join(folder, 'sft.jsonl')
  const rows = [
    { prompt: '1+1=', response: '2' },
    { prompt: [{ role: 'user', content: '2+1=' }], response: '3' },
    {
      messages: [
        { role: 'user', content: '3+1=' },
        { role: 'assistant', content: '4' },
      ],
    },
  ]
  await writeFile(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  const { examples, dropped } = await loadExamples([path], { tokenizer, maxLength: 16 })
  t.deepEqual([examples.length, dropped.tooLong], [3, 0])
  const config = { ...defaults, steps: 60, batchSize: 3, learningRate: 0.01 }
  const history = await sft({ policy, examples, config })
  t.true(history.at(-1)!['sft/loss']! < 0.05)
  const prompts = ['1+1=', '2+1=', '3+1='].map((text) => ({ promptTokenIds: tokenizer.encode(text) }))
  const answers = await policy.generate(prompts, {
    maxNewTokens: 3,
    temperature: 0,
    stopTokenIds: tokenizer.stopTokenIds,
  })
  t.deepEqual(
    answers.map(({ completions }) => tokenizer.decode(completions[0]!.tokenIds, { skipSpecialTokens: true })),
    ['2', '3', '4'],
  )
})

test('a row that is no example is named by its line', async (t) => {
  const { folder, tokenizer } = await parts(t)
  const path = join(folder, 'bad.jsonl')
  const load = async (row: object, maxLength = 16) => {
    await writeFile(path, `${JSON.stringify({ prompt: '1+1=', response: '2' })}\n${JSON.stringify(row)}\n`)
    return loadExamples([path], { tokenizer, maxLength })
  }
  await t.throwsAsync(load({ prompt: '1' }), { message: /bad\.jsonl:2: 'response' must be text; the row has prompt/ })
  await t.throwsAsync(load({ response: '1' }), { message: /bad\.jsonl:2: 'prompt' must be text or messages/ })
  await t.throwsAsync(load({ messages: [{ role: 'user', content: '1' }] }), {
    message: /:2: 'messages' must be .* end with/,
  })
  t.is((await load({ prompt: '1+1=1+1=1+1=1+1=', response: '2' })).dropped.tooLong, 1)
  await t.throwsAsync(load({ prompt: '1', response: '2' }, 1), {
    message: /no examples left .* longer than maxLength 1/,
  })
})

test('an abort stops it before the next step', async (t) => {
  const { tokenizer, policy } = await parts(t)
  const example = encodeExample([{ role: 'user', content: '1+1=' }], '2', tokenizer)
  const controller = new AbortController()
  let steps = 0
  const onStep = () => {
    if (++steps === 2) controller.abort()
  }
  const running = sft({ policy, examples: [example], config: defaults, signal: controller.signal, onStep })
  const reason = await t.throwsAsync(running, { any: true })
  t.is((reason as Error).name, 'AbortError')
  t.is(steps, 2)
})

test('a warning tells of the step that memory ran out in, and of no other', async (t) => {
  const example = { promptTokenIds: Int32Array.of(2), completionTokenIds: Int32Array.of(3) }
  const [warnings, retries]: [string[], number[]] = [[], [0, 2, 0]]
  const trainStep = async () => stats({ memoryRetries: retries.shift()!, microBatches: 4, activationBytes: 2048 })
  const onWarning = (text: string) => warnings.push(text)
  await sft({ policy: { trainStep }, examples: [example], config: { ...defaults, steps: 3 }, onWarning })
  t.is(warnings.length, 1)
  t.regex(
    warnings[0]!,
    /^memory ran out 2 times in an update: .* 4 micro-batches of up to 2048 bytes, .* activationBytes/,
  )
})

test('a skipped step has numbers everywhere', async (t) => {
  const example = { promptTokenIds: Int32Array.of(2), completionTokenIds: Int32Array.of(3) }
  const lost = { loss: Number.NaN, entropy: Number.NaN, entropySampled: Number.NaN, gradNorm: Number.NaN }
  const trainStep = async () => stats({ ...lost, tokens: 1, skipped: true })
  const [line] = await sft({ policy: { trainStep }, examples: [example], config: { ...defaults, steps: 1 } })
  for (const [name, value] of Object.entries(line!)) t.true(Number.isFinite(value), name)
  t.is(line!['actor/updates_skipped'], 1)
})
