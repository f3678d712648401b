import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { beyondFloor, compareVersions, SYMBOL_FLOOR } from '../../scripts/symbol-floor.ts'
import { findAddon } from '../../src/native/load.ts'

const addon = findAddon().path
const beside = (name: string) => join(dirname(addon), name)

/** What readelf says of a library, or undefined where there is none of it. */
function readelf(t: ExecutionContext, ...args: string[]): string | undefined {
  const { status, stdout } = spawnSync('readelf', ['--wide', ...args], { encoding: 'utf8', maxBuffer: 1e9 })
  if (status === 0) return stdout
  notTested(t, 'no readelf here')
  return undefined
}

function notTested(t: ExecutionContext, why: string): void {
  t.log(`not tested: ${why}`)
  t.pass()
}

/** With a newer compiler than that of Debian 12, what is built here runs on no older system; a release checks its own. */
const glibc = (process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } }).header
  .glibcVersionRuntime
const tooNew = compareVersions(glibc ?? '0', '2.36') > 0 ? `built on glibc ${glibc}, for this machine` : undefined

for (const name of ['magic_grpo.node', 'magic_grpo_preload.so', 'magic_grpo_cuda.so']) {
  const path = name === 'magic_grpo.node' ? addon : beside(name)
  const skip = existsSync(path) ? undefined : 'built without nvcc'

  test(`${name} runs on glibc ${SYMBOL_FLOOR.GLIBC}`, (t) => {
    if (skip ?? tooNew) return notTested(t, (skip ?? tooNew)!)
    const beyond = beyondFloor(path)
    if (!beyond) return notTested(t, 'no readelf here')
    t.deepEqual(beyond, [])
  })

  test(`${name} names no folder of the machine that built it`, (t) => {
    if (skip) return notTested(t, skip)
    const dynamic = readelf(t, '--dynamic', path)
    if (dynamic !== undefined) t.notRegex(dynamic, /\((RPATH|RUNPATH)\)/)
  })
}

test('the addon needs no library of CUDA, and of libtorch only those of both builds', (t) => {
  const dynamic = readelf(t, '--dynamic', addon)
  if (dynamic === undefined) return
  const needed = [...dynamic.matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(([, name]) => name!)
  const torch = needed.filter((name) => !/^(lib(stdc\+\+|m|gcc_s|c|dl|pthread)\.so|ld-linux)/.test(name))
  t.deepEqual(torch.sort(), ['libc10.so', 'libtorch_cpu.so'])
})

/** What the kernels leave to libc10_cuda and libtorch_cuda, without arguments. A new one has to be meant. */
const fromCuda: string[] = []

test('symbols that are left to the CUDA part of libtorch are known', (t) => {
  const open = (path: string) => {
    const symbols = readelf(t, '--dyn-syms', '--demangle', path) ?? ''
    return [...symbols.matchAll(/ UND ((?:c10|at)::cuda::[\w:]+)/g)].map(([, name]) => name!)
  }
  t.deepEqual(open(addon), [], 'the addon runs where there is no libc10_cuda')
  const kernels = beside('magic_grpo_cuda.so')
  if (!existsSync(kernels)) return t.log('no CUDA kernels: built without nvcc')
  t.deepEqual([...new Set(open(kernels))].sort(), fromCuda)
})
