import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const root = fileURLToPath(new URL('../..', import.meta.url))

const program = `import { Policy } from './src/index.ts'
const shape = { model_type: 'qwen2', architectures: ['Qwen2ForCausalLM'], vocab_size: 32, hidden_size: 16, intermediate_size: 32,
  num_hidden_layers: 2, num_attention_heads: 2, num_key_value_heads: 1, rms_norm_eps: 1e-6, tie_word_embeddings: true }
const policy = await Policy.create(shape, { seed: 1n })
const sequences = { tokenIds: Int32Array.of(1, 2, 3, 4, 5), offsets: Int32Array.of(0, 5), promptLengths: Int32Array.of(2) }
const { loss } = await policy.trainStep({ ...sequences, advantages: Float32Array.of(1) }, { learningRate: 1e-3 })
policy.dispose()
console.log(JSON.stringify({ node: process.versions.node, loss }))`

function trainedBy(command: string, args: string[]) {
  const run = ['--import=tsx', '--input-type=module', '-e', program]
  const env = { ...process.env, NODE_OPTIONS: '', npm_config_update_notifier: 'false' }
  const child = spawnSync(command, [...args, ...run], { cwd: root, env, encoding: 'utf8', timeout: 600_000 })
  return { status: child.status, output: child.stdout + child.stderr, stdout: child.stdout }
}

for (const major of [22, 24]) {
  test(`one binary, the same loss to the bit, on Node ${major}`, (t) => {
    t.timeout(30 * 60_000)
    // the binary that npm carries as the package 'node'
    const npx = ['--yes', '--package', `node@${major}`]
    const { status } = spawnSync('npx', [...npx, 'node', '--version'], { cwd: root, timeout: 600_000 })
    if (status !== 0) {
      t.log(`not tested: npm brings no Node ${major} here`)
      return t.pass()
    }
    const other = trainedBy('npx', [...npx, 'node'])
    t.is(other.status, 0, other.output)
    const { node, loss } = JSON.parse(other.stdout)
    t.true(node.startsWith(`${major}.`), node)
    const here = trainedBy(process.execPath, [])
    t.is(here.status, 0, here.output)
    t.is(loss, JSON.parse(here.stdout).loss)
    t.true(Number.isFinite(loss))
  })
}
