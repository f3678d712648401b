import { text as readAll } from 'node:stream/consumers'
import { requireModel } from '../config/train-config.ts'
import { mean } from '../metrics/statistics.ts'
import { terminalText } from '../metrics/terminal-text.ts'
import { Policy } from '../policy/policy.ts'
import { LocalEngine } from '../rollout/local-engine.ts'
import { Tokenizer } from '../tokenizer/tokenizer.ts'
import { interruptSignal } from './interrupt.ts'
import type { SamplingArguments } from './model-options.ts'

/** `magic-grpo generate`. */
export async function generate(
  options: SamplingArguments & {
    prompts: string[]
    raw?: boolean
    json?: boolean
  },
): Promise<void> {
  await requireModel(options.model, '--model')
  const tokenizer = await Tokenizer.load(options.model)
  const texts = await Promise.all(
    options.prompts.map((prompt) => (prompt === '-' ? readAll(process.stdin) : Promise.resolve(prompt))),
  )
  const prompts = texts.map((content, index) => {
    const messages = [
      ...(options.system === undefined ? [] : [{ role: 'system', content: options.system }]),
      { role: 'user', content },
    ]
    const tokenIds = options.raw ? tokenizer.encode(content) : tokenizer.chatPrompt(messages).tokenIds
    return { id: String(index), messages, tokenIds, answer: undefined, source: 'command line', extra: {} }
  })
  const interrupt = interruptSignal(() => {})
  const policy = await Policy.load(options.model, { device: options.device, dtype: options.dtype })
  try {
    const { samples, maxNewTokens: maxResponseLength, temperature, topP, topK, seed } = options
    const sampling = { samples, maxResponseLength, temperature, topP, topK, maxBatchSize: 64 }
    const call = { seeds: [seed], signal: interrupt.signal }
    for (const { prompt, rollouts } of await new LocalEngine(policy, tokenizer).rollout(prompts, sampling, call))
      for (const rollout of rollouts) {
        const { text, finishReason, completionTokenIds } = rollout
        const record = {
          prompt: prompt.messages.at(-1)!.content,
          response: text,
          finishReason,
          tokenIds: [...completionTokenIds],
          logprobs: [...rollout.sampledLogprobs],
          entropy: [...rollout.entropy],
          entropyMean: mean(rollout.entropy),
        }
        const line = options.json ? JSON.stringify(record) : text
        process.stdout.write(`${process.stdout.isTTY ? terminalText(line) : line}\n`)
      }
  } finally {
    interrupt.release()
    policy.dispose()
  }
}
