import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { FunctionVerifier } from '../../src/verify/function-verifier.ts'
import { loadVerifier } from '../../src/verify/load-verifier.ts'
import type { RewardFunction, RewardSample } from '../../src/verify/verifier.ts'

const root = await mkdtemp(join(tmpdir(), 'magic-grpo-verify-'))
test.after.always(() => rm(root, { recursive: true, force: true }))

const sample = (response: string): RewardSample => ({
  response,
  answer: 'yes',
  prompt: { id: 'p1', messages: [], tokenIds: Int32Array.of(1), answer: 'yes', source: 'test', extra: {} },
  truncated: false,
})
const verify = (reward: unknown, signal?: AbortSignal) =>
  new FunctionVerifier('./reward.ts#f', reward as RewardFunction).verify(sample('yes'), signal)

const TYPESCRIPT = `
import { half } from './helper.ts'
type Sample = { response: string; answer: unknown }
export async function agrees({ response, answer }: Sample): Promise<boolean> { return response === answer }
export function halves(_: Sample): number { return half }
export const limit: number = 5
export default ({ response }: Sample) => ({ reward: response.length, correct: true, reason: 'length' })
`
const JAVASCRIPT = 'export const agrees = ({ response, answer }) => response === answer\nexport const empty = null\n'

/** The folder with and without a package.json that says module: both are common beside a config. */
async function folder(name: string, type?: 'module' | 'commonjs'): Promise<string> {
  const dir = join(root, name)
  await mkdir(dir)
  if (type) await writeFile(join(dir, 'package.json'), JSON.stringify({ type }))
  await writeFile(join(dir, 'reward.ts'), TYPESCRIPT)
  await writeFile(join(dir, 'helper.ts'), 'export const half: number = 0.5\n')
  await writeFile(join(dir, 'reward.mjs'), JAVASCRIPT)
  return dir
}

for (const type of [undefined, 'module', 'commonjs'] as const) {
  test(`functions of a TypeScript file, package type ${type ?? 'absent'}`, async (t) => {
    const dir = await folder(`type-${type}`, type)
    const agrees = await loadVerifier('./reward.ts#agrees', dir)
    t.is(agrees.name, './reward.ts#agrees')
    t.deepEqual(await agrees.verify(sample('yes')), { reward: 1, correct: true })
    t.deepEqual(await agrees.verify(sample('no')), { reward: 0, correct: false })
    const halves = await loadVerifier(`${join(dir, 'reward.ts')}#halves`, '/')
    t.deepEqual(await halves.verify(sample('yes')), { reward: 0.5, correct: false })
    const byDefault = await loadVerifier('./reward.ts', dir)
    t.deepEqual(await byDefault.verify(sample('yes')), { reward: 3, correct: true, reason: 'length' })
  })
}

test('functions of a JavaScript file', async (t) => {
  const dir = await folder('javascript')
  const verifier = await loadVerifier('./reward.mjs#agrees', dir)
  t.deepEqual(await verifier.verify(sample('yes')), { reward: 1, correct: true })
})

test('a TypeScript reward works under plain node', async (t) => {
  const dir = await folder('plain')
  const entry = join(dir, 'entry.mjs')
  // The test runs under tsx already; the child registers nothing but what loadVerifier does itself.
  const source = fileURLToPath(new URL('../../src/verify/load-verifier.ts', import.meta.url))
  const api = import.meta.resolve('tsx/esm/api')
  await writeFile(
    entry,
    `import { tsImport } from ${JSON.stringify(api)}
const { loadVerifier } = await tsImport(${JSON.stringify(source)}, import.meta.url)
const verifier = await loadVerifier('./reward.ts#agrees', ${JSON.stringify(dir)})
console.log(JSON.stringify(await verifier.verify({ response: 'yes', answer: 'yes', prompt: { id: 'p' } })))`,
  )
  const { NODE_OPTIONS: _, ...env } = process.env
  const { stdout } = await promisify(execFile)(process.execPath, [entry], { env })
  t.is(stdout.trim(), '{"reward":1,"correct":true}')
})

test('what cannot be loaded is named with what there is', async (t) => {
  const dir = await folder('errors')
  const fails = (spec: string, message: RegExp) => t.throwsAsync(loadVerifier(spec, dir), { message })
  await fails(
    'maths',
    /verifier 'maths' is not known; did you mean 'math'\? There are 'math', .* as '.\/reward.ts#name'/,
  )
  await fails('./absent.ts#f', /no such file: .*absent.ts/)
  await fails('./reward.ts#f', /reward.ts has no export 'f'; it has .*#agrees/)
  await fails('./reward.mjs', /has no default export; it has #agrees/)
  await fails('./reward.ts#limit', /the export 'limit' is a number, not a function/)
  await fails('./reward.mjs#empty', /the export 'empty' is null, not a function/)
  await writeFile(join(dir, 'broken.ts'), 'export const f = (')
  await fails('./broken.ts#f', /broken.ts could not be loaded/)
  await writeFile(join(dir, 'throws.mjs'), "throw new Error('at import')")
  await fails('./throws.mjs#f', /throws.mjs could not be loaded: at import/)
})

test('math is built in', async (t) => {
  const verifier = await loadVerifier('math', root)
  t.is(verifier.name, 'math')
  t.is((await verifier.verify({ ...sample('\\boxed{2}'), answer: '2' })).reward, 1)
  const loose = await loadVerifier('math', root, { math: { extraction: 'any' } })
  t.is((await loose.verify({ ...sample('#### 2'), answer: '2' })).reward, 1)
})

test('numbers, booleans and verdicts', async (t) => {
  t.deepEqual(await verify(() => 1), { reward: 1, correct: true })
  t.deepEqual(await verify(() => -2.5), { reward: -2.5, correct: false })
  t.deepEqual(await verify(async () => true), { reward: 1, correct: true })
  t.deepEqual(await verify(() => ({ reward: 0.1, correct: false, extracted: 'x', other: 1 })), {
    reward: 0.1,
    correct: false,
    extracted: 'x',
  })
})

test('what a function may not return is named with the function, the prompt and the value', async (t) => {
  const fails = (value: unknown, message: RegExp) =>
    t.throwsAsync(
      verify(() => value),
      { message },
    )
  await fails(Number.NaN, /reward function .\/reward.ts#f returned NaN on prompt p1: a reward must be a finite number/)
  await fails(Number.POSITIVE_INFINITY, /returned Infinity/)
  await fails(undefined, /returned undefined on prompt p1: return a number, true or false/)
  await fails(null, /returned null/)
  await fails('1', /returned "1"/)
  await fails({ correct: true }, /returned reward undefined/)
  await fails({ reward: '1', correct: true }, /returned reward "1"/)
  await fails({ reward: 1 }, /returned correct undefined on prompt p1: it must be true or false/)
})

test('what a function throws is named with the function and the prompt', async (t) => {
  const message = 'reward function ./reward.ts#f threw on prompt p1: no key'
  const error = await t.throwsAsync(
    verify(() => {
      throw new TypeError('no key')
    }),
    { message },
  )
  t.true(error?.cause instanceof TypeError)
  await t.throwsAsync(
    verify(async () => {
      throw new Error('no key')
    }),
    { message },
  )
})

test('an aborted signal ends the wait for a function that never answers', async (t) => {
  const never = () => new Promise(() => {})
  await t.throwsAsync(verify(never, AbortSignal.abort(new Error('before'))), { message: 'before' })
  const controller = new AbortController()
  const pending = verify(never, controller.signal)
  controller.abort(new Error('during'))
  await t.throwsAsync(pending, { message: 'during' })
})

test.serial('many responses that are waited for at once are no leak of listeners', async (t) => {
  const warnings: string[] = []
  const warned = ({ name }: Error) => warnings.push(name)
  process.on('warning', warned)
  const { signal } = new AbortController()
  await Promise.all(Array.from({ length: 64 }, () => verify(async () => 1, signal)))
  await setImmediate()
  process.off('warning', warned)
  t.deepEqual(warnings, [])
})
