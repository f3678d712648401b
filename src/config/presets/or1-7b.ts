import { mathAndCode, paperAndRelease } from './preset.ts'

/** Skywork-OR1-7B: mathematics and code, on-policy. */
export const or17b = paperAndRelease(
  { summary: 'Skywork-OR1-7B', model: 'deepseek-ai/DeepSeek-R1-Distill-Qwen-7B' },
  { verifier: mathAndCode, promptsPerStep: 256, groupSize: 16 },
  [
    { steps: 660, maxResponseLength: 16384 },
    { steps: 660, maxResponseLength: 32768, promptsPerStep: 160, groupSize: 32 },
  ],
)
