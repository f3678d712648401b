import type { TrainConfig } from '../config/schema.ts'

/** One run of a study: settings on top of the base config. */
export interface Variant {
  /** Its folder. */
  name: string
  /** What the picture and the table call it. */
  label: string
  /** As on the command line of `train`. */
  overrides: string[]
}

/** A comparison of runs that differ in one thing (Skywork-OR1, sections 3.2 and 4). */
export interface Study {
  name: string
  title: string
  /** What the paper found, on DeepSeek-R1-Distill models. */
  finding: string
  /** Sizes follow from the base config: what the paper halves is halved here. */
  variants: (base: TrainConfig) => Variant[]
}

const off = 'entropy.controller=off'

/** (N_SGD, D_R, D_T, N_reuse), as the paper writes it. */
function updates({ promptsPerStep }: TrainConfig, parts: number, reuse: number): Pick<Variant, 'label' | 'overrides'> {
  const promptsPerUpdate = Math.max(1, Math.floor(promptsPerStep / parts))
  const updatesPerStep = (promptsPerStep / promptsPerUpdate) * reuse
  return {
    label: `(${updatesPerStep}, ${promptsPerStep}, ${promptsPerUpdate}, ${reuse})`,
    overrides: [`promptsPerUpdate=${promptsPerUpdate}`, `reuse=${reuse}`],
  }
}

/** Four updates a step, where the entropy falls fast: what a remedy has to show itself on. */
const offPolicy = (base: TrainConfig) => updates(base, 4, 1).overrides

function half(value: number, times: number): number {
  return Math.max(1, Math.round(value / 2 ** times))
}

/** A size, its half and its quarter; fewer where it is too small to tell them apart. */
function halves(value: number, least: number): number[] {
  return [...new Set([0, 1, 2].map((times) => Math.max(least, half(value, times))))]
}

export const studies: readonly Study[] = [
  {
    name: 'stages',
    title: 'Stages: a long context from the start, or a short one first',
    finding: 'The same accuracy for far fewer training hours.',
    variants: ({ maxResponseLength, steps }) => {
      const short = half(maxResponseLength, 1)
      const first = Math.round(0.6 * steps)
      const stages = `[{ steps: ${first}, maxResponseLength: ${short} }, { steps: ${steps - first}, dropSolved: false }]`
      return [
        { name: 'long', label: `${maxResponseLength} tokens`, overrides: [] },
        { name: 'short-long', label: `${short} tokens, then ${maxResponseLength}`, overrides: [`stages=${stages}`] },
      ]
    },
  },
  {
    name: 'mask',
    title: 'Advantage mask of truncated responses',
    finding: 'No gain from masks; `before` lets truncation grow.',
    variants: ({ maxResponseLength }) =>
      ['none', 'before', 'after'].map((mask) => ({
        name: mask,
        label: `mask ${mask}`,
        overrides: [`truncation.advantageMask=${mask}`, `maxResponseLength=${half(maxResponseLength, 1)}`, off],
      })),
  },
  {
    name: 'temperature',
    title: 'Sampling temperature',
    finding: '0.6 collapses early and learns slower.',
    variants: () =>
      [1, 0.6].map((tau) => ({ name: `tau-${tau}`, label: `tau ${tau}`, overrides: [`temperature=${tau}`, off] })),
  },
  {
    name: 'updates',
    title: 'Updates a step: (N_SGD, prompts a step, prompts an update, passes)',
    finding: 'Off-policy updates collapse the entropy.',
    variants: (base) =>
      [
        [1, 1],
        [2, 1],
        [1, 2],
        [4, 1],
        [1, 4],
      ].map(([parts, reuse]) => {
        const { label, overrides } = updates(base, parts!, reuse!)
        return { name: `parts-${parts}-reuse-${reuse}`, label, overrides: [...overrides, off] }
      }),
  },
  {
    name: 'entropy-constant',
    title: 'A constant entropy coefficient, four updates a step',
    finding: '1e-4 collapses, 5e-4 and above explode: sensitive to data.',
    variants: (base) =>
      ['1e-4', '5e-4', '1e-3', '5e-3', '1e-2'].map((coefficient) => ({
        name: coefficient,
        label: `coefficient ${coefficient}`,
        overrides: [...offPolicy(base), 'entropy.controller=constant', `entropy.coefficient=${Number(coefficient)}`],
      })),
  },
  {
    name: 'entropy-adaptive',
    title: 'Adaptive entropy control, four updates a step',
    finding: 'No collapse, better test score.',
    variants: (base) => [
      { name: 'off', label: 'no control', overrides: [...offPolicy(base), off] },
      {
        name: 'adaptive',
        label: `adaptive, target ${base.entropy.target}`,
        overrides: [...offPolicy(base), 'entropy.controller=adaptive'],
      },
    ],
  },
  {
    name: 'clip-higher',
    title: 'Upper clip of the ratio, four updates a step',
    finding: '0.25 and 0.265 help, 0.28 raises entropy sharply.',
    variants: (base) =>
      [0.2, 0.25, 0.265, 0.28].map((clipHigh) => ({
        name: `${clipHigh}`,
        label: `eps_high ${clipHigh}`,
        overrides: [...offPolicy(base), `clipHigh=${clipHigh}`, off],
      })),
  },
  {
    name: 'kl',
    title: 'k3 divergence from the starting model in the loss',
    finding: 'KL pulls the policy back, the score stalls.',
    variants: () =>
      [0, 1e-3].map((beta) => ({ name: `${beta}`, label: `beta ${beta}`, overrides: [`klCoefficient=${beta}`, off] })),
  },
  {
    name: 'batch',
    title: 'Prompts a step',
    finding: 'Larger is better.',
    variants: ({ promptsPerStep }) =>
      halves(promptsPerStep, 1).map((count) => ({
        name: `${count}`,
        label: `${count} prompts`,
        overrides: [`promptsPerStep=${count}`, `promptsPerUpdate=${count}`, off],
      })),
  },
  {
    name: 'group',
    title: 'Responses a prompt',
    finding: 'Larger is better.',
    variants: ({ groupSize }) =>
      halves(groupSize, 2).map((count) => ({
        name: `${count}`,
        label: `${count} responses`,
        overrides: [`groupSize=${count}`, off],
      })),
  },
  {
    name: 'resources',
    title: 'Where the time of a step goes',
    finding: 'Rollout is 72 % of the time in the 32B run, the update 9 %.',
    variants: () => [{ name: 'base', label: 'base', overrides: [] }],
  },
]
