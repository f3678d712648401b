import { execFile, spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { Policy } from '../../src/index.ts'
import { relativeError } from '../reference/compare.ts'
import { architectures, loadGolden } from '../reference/golden.ts'

const script = fileURLToPath(new URL('../reference/peft_scores.py', import.meta.url))
const python = process.env.MAGIC_GRPO_PYTHON ?? 'python3'

/** Why there is nothing to compare with; undefined where PEFT is there. */
function missing(): string | undefined {
  const probe = spawnSync(python, [script, '--probe'], { encoding: 'utf8' })
  if (probe.status === 0) return undefined
  const reason = probe.error?.message ?? probe.stderr.trim().split('\n').at(-1)
  return `${python} has no peft and transformers (${reason}); set MAGIC_GRPO_PYTHON to a Python that has them`
}

test('PEFT loads what saveAdapter wrote and computes the same, and its own folder is gone on from', async (t) => {
  t.timeout(280_000)
  const reason = missing()
  if (reason !== undefined) {
    t.log(`not compared with PEFT: ${reason}`)
    t.pass()
    return
  }
  const root = await mkdtemp(join(tmpdir(), 'magic-grpo-peft-'))
  t.teardown(() => rm(root, { recursive: true }))
  const jobs = []
  const own: Float32Array[] = []
  for (const [index, name] of architectures.entries()) {
    const { dir, batch, expected } = loadGolden(name)
    // Of every architecture other modules, so that each has been alone in its fused weight and with the others.
    const targetModules = index === 0 ? ('all-linear' as const) : targets[index]!
    using policy = await Policy.load(dir, { lora: { rank: 4, alpha: 6, targetModules } })
    for (let step = 0; step < 2; step++) await policy.trainStep(batch, { learningRate: 0.03 })
    const [adapter, save] = [join(root, name), join(root, `${name}-peft`)]
    await policy.saveAdapter(adapter)
    own.push(await policy.logits(Int32Array.from(expected.sequences[0]!)))
    jobs.push({ base: dir, adapter, tokenIds: expected.sequences[0]!, save })
  }
  const env = { ...process.env, HF_HUB_OFFLINE: '1', OMP_NUM_THREADS: '1' }
  const run = promisify(execFile)(python, [script], { maxBuffer: 2 ** 28, env })
  run.child.stdin!.end(JSON.stringify(jobs))
  const results: { logits: number[]; tensors: number }[] = JSON.parse((await run).stdout)
  for (const [index, name] of architectures.entries()) {
    const { base, save, tokenIds } = jobs[index]!
    const error = relativeError(own[index]!, results[index]!.logits)
    t.true(error <= 1e-5, `${name}: logits differ by ${error}`)
    using again = await Policy.load(base, { adapter: save })
    t.is(again.parameterShapes().filter(({ name }) => name.includes('lora_')).length, results[index]!.tensors)
    t.deepEqual(await again.logits(Int32Array.from(tokenIds)), own[index]!)
  }
})

const targets = [
  [],
  ['q_proj', 'v_proj'],
  ['k_proj', 'up_proj'],
  ['o_proj', 'gate_proj'],
  ['down_proj', 'v_proj', 'k_proj'],
] as const
