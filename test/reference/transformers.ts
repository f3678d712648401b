import { execFile, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const script = fileURLToPath(new URL('./transformers_scores.py', import.meta.url))

export type Python = { path: string; versions: string } | { missing: string }

/** A Python with torch and transformers: MAGIC_GRPO_PYTHON, else python3; else the reason why there is none. */
export function findPython(): Python {
  const path = process.env.MAGIC_GRPO_PYTHON ?? 'python3'
  const probe = spawnSync(path, [script, '--probe'], { encoding: 'utf8' })
  if (probe.status === 0) return { path, versions: probe.stdout.trim() }
  const reason = probe.error?.message ?? probe.stderr.trim().split('\n').at(-1)
  return {
    missing: `${path} has no torch and transformers (${reason}); set MAGIC_GRPO_PYTHON to a Python that has them`,
  }
}

export interface TransformersScores {
  architecture: string
  dtype: string
  missing: string[]
  unexpected: string[]
  mismatched: string[]
  logprobs: number[]
  entropy: number[]
  greedy: number[][]
  /** of the on-policy loss, by parameter */
  gradientNorms: Record<string, number>
}

/** A saved checkpoint and what to compute on it. */
export interface TransformersJob {
  dir: string
  sequences: number[][]
  promptLengths: number[]
  advantages: number[]
  temperature: number
  /** greedy tokens after each prompt */
  newTokens: number
}

/** Scores of saved checkpoints by transformers, weights as saved, computed in float64. */
export async function transformersScores(python: string, jobs: TransformersJob[]): Promise<TransformersScores[]> {
  const env = { ...process.env, HF_HUB_OFFLINE: '1', OMP_NUM_THREADS: '1' }
  const run = promisify(execFile)(python, [script], { maxBuffer: 2 ** 28, env })
  run.child.stdin!.end(JSON.stringify(jobs))
  return JSON.parse((await run).stdout)
}
