import type { Sampled } from '../rollout/rollout.ts'
import type { Verdict } from '../verify/verifier.ts'
import { terminalText } from './terminal-text.ts'

/** A response as the table shows it. */
export interface SampleRow {
  prompt: string
  response: string
  answer: string
  reward: number
}

/** The first response of each of the first `count` groups. */
export function sampleRows(
  groups: readonly { sampled: Sampled; verdicts: readonly Verdict[] }[],
  count: number,
): SampleRow[] {
  return groups.slice(0, count).map(({ sampled: { prompt, rollouts }, verdicts }) => ({
    prompt: prompt.messages.at(-1)?.content ?? '',
    response: rollouts[0]?.text ?? '',
    answer: typeof prompt.answer === 'string' ? prompt.answer : JSON.stringify(prompt.answer ?? ''),
    reward: verdicts[0]?.reward ?? 0,
  }))
}

/** A table in plain text, `width` columns wide. Responses are hostile: control characters do not reach the terminal. */
export function samplesTable(rows: readonly SampleRow[], width = 100): string {
  const free = Math.max(40, width) - 8 - 12 - 3 * 2
  const widths = { prompt: Math.floor(free * 0.45), response: Math.ceil(free * 0.55), answer: 12 }
  const line = (prompt: string, response: string, answer: string, reward: string) =>
    `${cell(prompt, widths.prompt)}  ${cell(response, widths.response)}  ${cell(answer, widths.answer)}  ${reward}`
  return [
    line('prompt', 'response', 'answer', 'reward'),
    line('-'.repeat(widths.prompt), '-'.repeat(widths.response), '-'.repeat(widths.answer), '------'),
    ...rows.map(({ prompt, response, answer, reward }) => line(prompt, response, answer, String(reward))),
  ].join('\n')
}

function cell(text: string, width: number): string {
  const plain = printable(text)
  return (plain.length > width ? `${plain.slice(0, width - 1)}…` : plain).padEnd(width)
}

/** One line of {@link terminalText}. */
export function printable(text: string): string {
  return terminalText(text.replace(/\s+/g, ' '))
}
