import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import {
  cpuFeatures,
  cudaFinding,
  doctor,
  examine,
  type Finding,
  libtorchFinding,
  nodeFinding,
  render,
  sandboxFinding,
} from '../../src/cli/doctor.ts'
import { loadAddon } from '../../src/native/load.ts'
import { Sandbox } from '../../src/verify/code/sandbox.ts'
import { SHARED_LIBRARY } from './shared-library.ts'

function temporary(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'doctor-test-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function write(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
}

function named(findings: Finding[], name: string): Finding {
  const found = findings.find((finding) => finding.name === name)
  if (!found) throw new Error(`no finding ${name}`)
  return found
}

test('on a built clone everything that training needs is there', async (t) => {
  const { ok, text } = await doctor({ ...process.env, NO_COLOR: '1' })
  t.true(ok, text)
  for (const name of [
    'Node',
    'libtorch',
    'native addon',
    'CPU',
    'memory',
    'CUDA',
    'Python',
    'code sandbox',
    'bwrap',
    'g++',
    'cmake',
    'ninja',
  ]) {
    t.regex(text, new RegExp(`^(ok|absent) +${name.replaceAll('+', '\\+')} `, 'm'))
  }
  t.regex(text, /libtorch +2\.\d+\.\d+\S* at \//)
  t.regex(text, /Ready to train\.\n$/)
  t.false(text.includes('\x1b'), 'NO_COLOR holds')
})

test('a LIBTORCH that names nothing makes it not ready, and says which variable', async (t) => {
  const env = { ...process.env, NO_COLOR: '1', LIBTORCH: '/gone/libtorch' }
  const { ok, text } = await doctor(env)
  t.false(ok)
  t.regex(text, /^MISSING +libtorch +LIBTORCH names no libtorch: \/gone\/libtorch does not exist/m)
  t.regex(text, /Not ready: libtorch, native addon\.\n$/)
})

test('a libtorch of another version makes it not ready, and says both', (t) => {
  const folder = temporary(t)
  for (const file of ['libtorch.so', 'libtorch_cpu.so', 'libc10.so'].map((name) => `lib/${name}`))
    write(join(folder, file), SHARED_LIBRARY)
  for (const file of ['include/ATen/core/Tensor.h', 'build-version']) write(join(folder, file), '2.12.1+cpu\n')
  const finding = libtorchFinding({ ...process.env, LIBTORCH: folder })
  t.is(finding.state, 'missing')
  t.regex(finding.detail, /built against libtorch \S+, but .* is 2\.12\.1\+cpu/)
  t.regex(finding.remedy!, /npm run build:all/)
})

test('tools that are not on PATH are absent, with the package to install', async (t) => {
  const findings = await examine({ PATH: temporary(t), HOME: temporary(t) })
  const packages = {
    bwrap: 'bubblewrap',
    'g++': 'g++',
    cmake: 'cmake',
    ninja: 'ninja-build',
  }
  for (const [name, debian] of Object.entries(packages)) {
    t.is(named(findings, name).state, 'absent', name)
    t.is(named(findings, name).remedy, `On Debian or Ubuntu: apt-get install ${debian}`)
  }
  t.regex(named(findings, 'Python').detail, /not on PATH/)
})

test('tools are run for their version, and a driver without a CUDA libtorch is pointed out', async (t) => {
  const folder = temporary(t)
  writeFileSync(join(folder, 'cmake'), '#!/bin/sh\necho cmake version 9.9\necho second line\n', { mode: 0o755 })
  writeFileSync(join(folder, 'python3'), '#!/bin/sh\necho Python 3.99.1\n', { mode: 0o755 })
  writeFileSync(join(folder, 'nvidia-smi'), "#!/bin/sh\necho 'Some GPU, 555.42, 81920 MiB'\n", { mode: 0o755 })
  const findings = await examine({ PATH: folder, HOME: folder })
  t.is(named(findings, 'cmake').detail, `${join(folder, 'cmake')} (cmake version 9.9)`)
  t.regex(named(findings, 'Python').detail, /^3\.99\.1 /)
  t.regex(named(findings, 'CUDA').detail, /Some GPU, 555\.42, 81920 MiB/)
})

test('CUDA is usable where the kernels are beside the addon', async (t) => {
  const folder = temporary(t)
  writeFileSync(join(folder, 'nvidia-smi'), "#!/bin/sh\necho 'Some GPU, 555.42, 81920 MiB'\n", { mode: 0o755 })
  const versions = { ...loadAddon().versions(), cudaAvailable: true, cudaDeviceCount: 1 }
  const look = () => cudaFinding({ PATH: folder }, { path: join(folder, 'magic_grpo.node'), versions })
  const without = await look()
  t.is(without.state, 'absent')
  t.regex(without.detail, /^Some GPU.*kernels are missing: no .*magic_grpo_cuda\.so$/)
  t.regex(without.remedy!, /nvcc/)
  writeFileSync(join(folder, 'magic_grpo_cuda.so'), '')
  t.like(await look(), { state: 'found', detail: '1 usable: Some GPU, 555.42, 81920 MiB' })
  rmSync(join(folder, 'nvidia-smi'))
  t.like(await look(), { state: 'found', detail: '1 usable: an NVIDIA driver without a working nvidia-smi' })
})

test('Node before 20.19 is not enough', (t) => {
  for (const version of ['18.20.4', '20.18.3']) t.is(nodeFinding(version).state, 'missing', version)
  for (const version of ['20.19.0', '20.20.2', '22.1.0', '24.0.0']) t.is(nodeFinding(version).state, 'found', version)
})

test('the vector extensions that matter are read from /proc/cpuinfo', (t) => {
  t.deepEqual(cpuFeatures('flags\t\t: fpu sse avx2 avx512f avx512_bf16 amx_bf16\n'), [
    'AVX2',
    'AVX-512',
    'AVX-512 bf16',
    'AMX bf16',
  ])
  t.deepEqual(cpuFeatures('Features\t: fp asimd bf16\n'), ['NEON', 'bf16'])
  t.deepEqual(cpuFeatures('flags\t\t: fpu sse avx\n'), [])
  t.deepEqual(cpuFeatures(''), [])
})

test('the text: one line a finding, remedies under it, color only where wanted', (t) => {
  const findings: Finding[] = [
    { name: 'one', state: 'found', detail: 'here' },
    { name: 'three', state: 'absent', detail: 'not here', remedy: 'get it' },
    { name: 'five', state: 'missing', detail: 'gone', remedy: 'first\nsecond' },
  ]
  t.is(
    render(findings, false),
    [
      'ok       one    here',
      'absent   three  not here',
      '                get it',
      'MISSING  five   gone',
      '                first',
      '                second',
      '',
      'Not ready: five.',
      '',
    ].join('\n'),
  )
  t.true(render(findings, true).startsWith('\x1b[32mok     \x1b[0m  one'))
})

test('the code sandbox: which holds, or why none does', async (t) => {
  const python = { path: '/usr/bin/python3', version: '3.11.2', reads: [], modules: [] }
  const failure = 'bubblewrap with /usr/bin/python3: bwrap is not on PATH'
  const good = await sandboxFinding(Promise.resolve({ sandbox: new Sandbox('bubblewrap', python), failures: [] }))
  t.like(good, { state: 'found', remedy: undefined })
  t.regex(good.detail, /^bubblewrap with \/usr\/bin\/python3 \(3\.11\.2\): no network/)
  const fallback = await sandboxFinding(
    Promise.resolve({ sandbox: new Sandbox('unshare', python), failures: [failure] }),
  )
  t.like(fallback, { state: 'found', remedy: `In place of bubblewrap: ${failure}` })
  const none = await sandboxFinding(Promise.resolve({ failures: [failure] }))
  t.is(none.state, 'absent')
  t.regex(
    none.remedy!,
    /^bubblewrap with .*\n.*apt-get install bubblewrap python3\. Without one, code rewards are refused/,
  )
})
