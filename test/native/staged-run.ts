import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { tinyRun } from './tiny-run.ts'

/** With this variable set to n, a staged run ends itself by SIGKILL when its n-th response is verified. */
export const killAtResponse = 'MAGIC_GRPO_TEST_KILL_AT_RESPONSE'

/**
 * A tiny run of three stages in which everything that has a state moves: groups are rejected and others drawn in their
 * place, prompts are always solved (answers up to 3) and dropped, the second stage carries optimizer and controller on
 * and may converge, the third is off-policy, has a KL term and starts both anew.
 */
export async function stagedRun(
  t: ExecutionContext,
  [first, second, third]: [number, number, number] = [3, 3, 3],
  settings = '',
): Promise<{ folder: string; config: string }> {
  const { folder, config } = await tinyRun(
    t,
    `rejection: { refill: true, maxPrompts: 9 }
stages:
  - { steps: ${first}, maxResponseLength: 4 }
  - { steps: ${second}, maxResponseLength: 6, until: { metric: reward/mean, window: 2, minImprovement: -0.05 } }
  - steps: ${third}
    maxResponseLength: 8
    groupSize: 3
    temperature: 0.9
    promptsPerUpdate: 2
    klCoefficient: 0.01
    resetOptimizer: true
    resetController: true
    entropy: { variant: or1-release, delta: 0.001 }
${settings}`,
  )
  await writeFile(
    join(folder, 'reward.ts'),
    `let verified = 0
export async function sevens({ response, answer }: { response: string; answer: unknown }) {
  if (String(++verified) === process.env.${killAtResponse}) process.kill(process.pid, 'SIGKILL')
  const found = [...response].filter((letter) => letter === '7').length
  return { reward: found / 8, correct: found > 0 || Number(answer) <= 3 }
}
`,
  )
  return { folder, config }
}
