import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { prepareQuickstart } from '../../src/cli/quickstart.ts'
import { loadAddon } from '../../src/native/load.ts'

/**
 * Trains the base model of the quickstart on the CPU and on the GPU, and writes their rewards and entropies side by side.
 *
 *     node --import=tsx scripts/gpu-bundle/curves.ts DIR [steps=8 ...]
 */
const [folder, ...overrides] = process.argv.slice(2)
if (folder === undefined) throw new Error('usage: curves.ts DIR [key=value ...]')
const root = fileURLToPath(new URL('../..', import.meta.url))
process.env.OMP_NUM_THREADS ??= '1'

const recipe = join(folder, 'curves', 'examples', 'quickstart.yaml')
mkdirSync(join(recipe, '..'), { recursive: true })
copyFileSync(join(root, 'examples/quickstart.yaml'), recipe)
await prepareQuickstart(recipe, { note: (text) => console.log(text) })

const devices = ['cpu', ...(loadAddon().versions().cudaAvailable ? ['cuda'] : [])]
const runs = devices.map((device) => {
  const output = join(folder, 'curves', device)
  const train = ['train', '-c', recipe, `output=${output}`, `device=${device}`, ...overrides]
  const child = spawnSync(process.execPath, ['--import=tsx', 'src/cli/main.ts', ...train], {
    cwd: root,
    stdio: 'inherit',
  })
  if (child.status !== 0) throw new Error(`training on ${device} failed`)
  const lines = readFileSync(join(output, 'metrics.jsonl'), 'utf8').trimEnd().split('\n')
  const { accuracyBefore, accuracyAfter, seconds } = JSON.parse(readFileSync(join(output, 'summary.json'), 'utf8'))
  return { device, accuracyBefore, accuracyAfter, seconds, metrics: lines.map((line) => JSON.parse(line)) }
})

const columns = ['reward/mean', 'actor/entropy'].flatMap((metric) => runs.map((run) => ({ metric, run })))
const row = (cells: string[]) => `| ${cells.join(' | ')} |`
const table = [
  row(['step', ...columns.map(({ metric, run }) => `${metric}, ${run.device}`)]),
  row(['---', ...columns.map(() => '---')]),
  ...runs[0]!.metrics.map(({ step }, index) =>
    row([String(step), ...columns.map(({ metric, run }) => run.metrics[index][metric].toFixed(4))]),
  ),
]
const facts = runs.map(
  ({ device, accuracyBefore, accuracyAfter, seconds }) =>
    `${device}: accuracy ${accuracyBefore} before, ${accuracyAfter} after, ${seconds.toFixed(0)} s`,
)
if (devices.length === 1) facts.push('cuda: not run, libtorch sees no CUDA device here')
writeFileSync(join(folder, 'curves.md'), `${facts.join('\n')}\n\n${table.join('\n')}\n`)
console.log(facts.join('\n'))
