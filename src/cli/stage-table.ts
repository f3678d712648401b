import type { TrainConfig } from '../config/schema.ts'
import { resolveStages } from '../stage/resolve-stages.ts'
import { updatesPerStep } from '../train/update.ts'

const columns = [
  'stage',
  'steps',
  'maxResponseLength',
  'promptsPerStep',
  'promptsPerUpdate',
  'groupSize',
  'N_SGD',
  'responses',
]

/** What each stage comes to, as YAML comments: its sizes, optimizer steps a step, and responses without refills. */
export function stageTable(config: TrainConfig): string {
  const rows = resolveStages(config).map((step, index) => {
    const { steps, maxResponseLength, promptsPerStep, promptsPerUpdate = promptsPerStep, groupSize } = step
    const responses = steps * promptsPerStep * groupSize
    return {
      steps,
      responses,
      cells: [
        index + 1,
        steps,
        maxResponseLength,
        promptsPerStep,
        promptsPerUpdate,
        groupSize,
        updatesPerStep(step),
        responses,
      ],
    }
  })
  const sum = (key: 'steps' | 'responses') => rows.reduce((total, row) => total + row[key], 0)
  const lines = [
    columns,
    ...rows.map(({ cells }) => cells),
    ['total', sum('steps'), '', '', '', '', '', sum('responses')],
  ]
  return lines
    .map((cells) =>
      `# ${cells.map((cell, index) => String(cell).padStart(columns[index]!.length + 2)).join('')}`.trimEnd(),
    )
    .join('\n')
}
