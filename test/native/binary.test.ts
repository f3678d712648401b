import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
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

/** The newest version of each name that a library asks for, as `GLIBC: 2.34`. */
function newest(versions: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const [, name, version] of versions.matchAll(/Name: (GLIBC|GLIBCXX|CXXABI|GCC)_([\d.]+)/g)) {
    const old = found.get(name!)
    if (!old || compare(version!, old) > 0) found.set(name!, version!)
  }
  return found
}

function compare(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}

/** Debian 12 and Ubuntu 22.04 have them, and what is newer; docs/install.md says so. */
const floor = { GLIBC: '2.34', GLIBCXX: '3.4.30', CXXABI: '1.3.13', GCC: '12.0.0' }

for (const name of ['magic_grpo.node', 'magic_grpo_preload.so', 'magic_grpo_cuda.so']) {
  const path = name === 'magic_grpo.node' ? addon : beside(name)
  const skip = existsSync(path) ? undefined : 'built without nvcc'

  test(`${name} runs on glibc ${floor.GLIBC}`, (t) => {
    if (skip) return notTested(t, skip)
    const versions = readelf(t, '--version-info', path)
    if (versions === undefined) return
    for (const [library, version] of newest(versions)) {
      const most = floor[library as keyof typeof floor]
      t.true(compare(version, most) <= 0, `${library}_${version} is newer than ${most}`)
    }
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
