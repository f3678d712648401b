import type { Part } from '../part.ts'
import { arithmetic } from './arithmetic.ts'
import { generate, generateRagged } from './generate.ts'
import { gpu } from './gpu.ts'
import { grpoStep } from './grpo-step.ts'
import { head } from './head.ts'
import { headTorch } from './head-torch.ts'
import { math } from './math.ts'
import { overhead } from './overhead.ts'
import { scaling } from './scaling.ts'
import { trainStep } from './train-step.ts'
import { verifiers } from './verifiers.ts'

/** In the order in which the whole suite runs them. */
export const parts: readonly Part[] = [
  ...[head, headTorch, trainStep, generate, generateRagged, grpoStep, arithmetic],
  ...[overhead, scaling, verifiers, math, gpu],
]
