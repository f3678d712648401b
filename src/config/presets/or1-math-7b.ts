import { paperAndRelease } from './preset.ts'

/** Skywork-OR1-Math-7B: three context lengths, then larger groups; two optimizer steps a training step. */
export const or1Math7b = paperAndRelease(
  { summary: 'Skywork-OR1-Math-7B', model: 'deepseek-ai/DeepSeek-R1-Distill-Qwen-7B' },
  { promptsPerStep: 256, promptsPerUpdate: 128, groupSize: 16 },
  [
    { steps: 740, maxResponseLength: 8192 },
    { steps: 1000, maxResponseLength: 16384 },
    { steps: 340, maxResponseLength: 32768 },
    { steps: 80, maxResponseLength: 32768, promptsPerStep: 128, promptsPerUpdate: 64, groupSize: 64 },
  ],
)
