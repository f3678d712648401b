import { mathAndCode, paperAndRelease } from './preset.ts'

/** Skywork-OR1-32B: mathematics and code, on-policy. */
export const or132b = paperAndRelease(
  { summary: 'Skywork-OR1-32B', model: 'deepseek-ai/DeepSeek-R1-Distill-Qwen-32B' },
  { verifier: mathAndCode, promptsPerStep: 256, groupSize: 16 },
  [
    { steps: 760, maxResponseLength: 16384 },
    { steps: 370, maxResponseLength: 24576, promptsPerStep: 160, groupSize: 32 },
  ],
)
