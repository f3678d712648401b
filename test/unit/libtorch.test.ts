import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import os, { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import {
  cachedLibtorch,
  damagedCache,
  hasNvidiaDriver,
  libtorchVersion,
  locateLibtorch,
} from '../../src/native/libtorch.ts'
import { libtorchSolutions } from '../../src/native/libtorch-help.ts'
import { SHARED_LIBRARY } from './shared-library.ts'

/** A temporary folder that goes with the test. */
function temporary(t: ExecutionContext): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'libtorch-test-')))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** What locateLibtorch looks at, with a version.py as a wheel has it. */
function makeLibtorch(folder: string, version: string): string {
  for (const file of ['include/ATen/core/Tensor.h', 'lib/libtorch.so', 'lib/libtorch_cpu.so', 'lib/libc10.so']) {
    mkdirSync(join(folder, file, '..'), { recursive: true })
    writeFileSync(join(folder, file), file.endsWith('.so') ? SHARED_LIBRARY : '')
  }
  writeFileSync(join(folder, 'version.py'), `from typing import Optional\n__version__ = '${version}'\n`)
  return folder
}

/** An executable that answers find_spec as a Python with torch at that folder does. */
function makePython(folder: string, torch: string): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'python3'), `#!/bin/sh\necho '${torch}'\n`)
  chmodSync(join(folder, 'python3'), 0o755)
}

function emptyEnvironment(folder: string) {
  return { HOME: folder, PATH: join(folder, 'bin') }
}

test('the version is read from version.py, build-version and version.h', (t) => {
  const wheel = makeLibtorch(join(temporary(t), 'wheel'), '2.13.0+cpu')
  t.is(libtorchVersion(wheel), '2.13.0+cpu')

  const archive = temporary(t)
  writeFileSync(join(archive, 'build-version'), '2.12.1+cu130\n')
  t.is(libtorchVersion(archive), '2.12.1+cu130')

  const headers = temporary(t)
  mkdirSync(join(headers, 'include/torch/headeronly'), { recursive: true })
  const defines = ['MAJOR 2', 'MINOR 14', 'PATCH 1'].map((part) => `#define TORCH_VERSION_${part}\n`)
  writeFileSync(join(headers, 'include/torch/headeronly/version.h'), defines.join(''))
  t.is(libtorchVersion(headers), '2.14.1')

  t.is(libtorchVersion(temporary(t)), undefined)
})

test('nothing anywhere: undefined', (t) => {
  const home = temporary(t)
  t.is(locateLibtorch(emptyEnvironment(home), home), undefined)
})

test('LIBTORCH comes before everything else, with a version that sources build against', (t) => {
  const home = temporary(t)
  const env = { ...emptyEnvironment(home), MAGIC_GRPO_CACHE: join(home, 'cache') }
  makeLibtorch(cachedLibtorch(env), '2.13.0+cpu')
  const named = makeLibtorch(join(home, 'named'), '2.11.0+cpu')
  t.deepEqual(locateLibtorch({ ...env, LIBTORCH: named }, home), {
    root: named,
    version: '2.11.0+cpu',
    foundBy: 'LIBTORCH',
    cuda: false,
  })
  t.is(locateLibtorch({ ...env, LIBTORCH: 'named' }, home)?.root, named, 'relative to the working folder')
})

test('LIBTORCH that points to nothing, to a wrong folder or to a wrong version says so', (t) => {
  const home = temporary(t)
  const env = emptyEnvironment(home)
  const locate = (LIBTORCH: string) => () => locateLibtorch({ ...env, LIBTORCH }, home)
  t.throws(locate(join(home, 'nowhere')), { code: 'LIBTORCH_MISSING', message: /LIBTORCH .*nowhere does not exist/ })

  const other = join(home, 'other')
  mkdirSync(join(other, 'include'), { recursive: true })
  t.throws(locate(other), { code: 'LIBTORCH_MISSING', message: /holds no include\/ATen\/core\/Tensor\.h/ })

  for (const version of ['2.10.0+cpu', '2.15.0+cpu', '1.13.1', '3.0.0']) {
    const wrong = makeLibtorch(join(home, version), version)
    const message = new RegExp(`names libtorch ${version.replace('+', '\\+')} .*2\\.11 to 2\\.14 is needed`)
    t.throws(locate(wrong), { code: 'LIBTORCH_VERSION', message })
  }

  const unnamed = makeLibtorch(join(home, 'unnamed'), '')
  t.throws(locate(unnamed), { code: 'LIBTORCH_MISSING', message: /says nowhere which version it is/ })
})

test('LIBTORCH_USE_PYTORCH takes the torch of the python3 on PATH, and says what lacks', (t) => {
  const home = temporary(t)
  const env = { ...emptyEnvironment(home), LIBTORCH_USE_PYTORCH: '1' }
  t.throws(() => locateLibtorch(env, home), { code: 'LIBTORCH_MISSING', message: /PATH holds no python3/ })

  makePython(join(home, 'bin'), '')
  t.throws(() => locateLibtorch(env, home), { code: 'LIBTORCH_MISSING', message: /bin\/python3 has no torch/ })

  const torch = makeLibtorch(join(home, 'torch'), '2.12.0+cu130')
  writeFileSync(join(torch, 'lib/libtorch_cuda.so'), SHARED_LIBRARY)
  makePython(join(home, 'bin'), torch)
  const found = { root: torch, version: '2.12.0+cu130', foundBy: 'LIBTORCH_USE_PYTORCH', cuda: true }
  t.deepEqual(locateLibtorch(env, home) as unknown, found)
  t.is(
    locateLibtorch({ ...env, LIBTORCH_USE_PYTORCH: '0' }, home),
    undefined,
    'switched off: a wrong version does not count',
  )
})

test('the cache folder comes before a Python, and counts only whole and with the exact version', (t) => {
  const home = temporary(t)
  const env = { ...emptyEnvironment(home), VIRTUAL_ENV: join(home, 'venv') }
  const torch = makeLibtorch(join(home, 'torch'), '2.13.0+cpu')
  makePython(join(home, 'venv/bin'), torch)
  const inCache = makeLibtorch(join(home, '.cache/magic-grpo/libtorch-2.13.0-cpu'), '2.13.0+cpu')
  t.is(locateLibtorch(env, home)?.root, inCache)
  t.is(locateLibtorch(env, home)?.foundBy, 'cache')

  rmSync(join(inCache, 'lib/libc10.so'))
  t.is(locateLibtorch(env, home)?.root, torch, 'a broken cache is passed over')
  makeLibtorch(inCache, '2.12.0+cpu')
  t.is(locateLibtorch(env, home)?.root, torch, 'a wrong version in the cache is passed over')
})

test('a libtorch that was cut off is none, and the file is named', (t) => {
  const home = temporary(t)
  const env = emptyEnvironment(home)
  t.is(damagedCache(env), undefined, 'none is there')
  const root = makeLibtorch(cachedLibtorch(env), '2.13.0+cpu')
  t.is(damagedCache(env), undefined, 'it is whole')
  const cpu = join(root, 'lib/libtorch_cpu.so')
  const damages: [string, RegExp][] = [
    ['', /libtorch_cpu\.so is no shared library \(0 bytes\)$/],
    ['<html>a proxy says no</html>'.padEnd(80), /libtorch_cpu\.so is no shared library \(80 bytes\)$/],
    [cutOff(), /libtorch_cpu\.so is cut off: it has 64 of at least 1192 bytes$/],
  ]
  for (const [content, message] of damages) {
    writeFileSync(cpu, content, 'latin1')
    t.is(locateLibtorch(env, home), undefined)
    t.regex(damagedCache(env)!, message)
    t.throws(() => locateLibtorch({ ...env, LIBTORCH: root }, home), {
      code: 'LIBTORCH_MISSING',
      message: /libtorch_cpu/,
    })
  }
  rmSync(cpu)
  t.regex(damagedCache(env)!, /holds no lib\/libtorch_cpu\.so$/)
})

/** A header with 3 sections of 64 bytes each from byte 1000 on, and nothing after it. */
function cutOff(): string {
  const header = Buffer.from(SHARED_LIBRARY, 'latin1')
  header.writeBigUInt64LE(1000n, 40)
  header.writeUInt16LE(64, 58)
  header.writeUInt16LE(3, 60)
  return header.toString('latin1')
}

test('an NVIDIA driver is seen on Linux, in a container and on WSL 2', (t) => {
  for (const sign of ['/proc/driver/nvidia/version', '/dev/nvidiactl', '/usr/lib/wsl/lib/libcuda.so.1'])
    t.true(
      hasNvidiaDriver((path) => path === sign),
      sign,
    )
  // every WSL 2 has these
  t.false(hasNvidiaDriver((path) => ['/dev/dxg', '/usr/lib/wsl/lib/libdxcore.so'].includes(path)))
})

test('on musl nobody is told to fetch what does not run there', (t) => {
  const home = temporary(t)
  const text = libtorchSolutions(emptyEnvironment(home), home, 'musl')
  t.regex(text, /^PyTorch publishes libtorch for glibc alone.*node:22-bookworm-slim.*LIBTORCH=DIR node /s)
  t.notRegex(text, /libtorch install/)
  t.regex(libtorchSolutions(emptyEnvironment(home), home, 'glibc'), /npx magic-grpo libtorch install/)
})

for (const where of ['VIRTUAL_ENV', 'CONDA_PREFIX', '.venv', 'PATH'] as const) {
  test(`a Python in ${where} counts with the exact version`, (t) => {
    const home = temporary(t)
    const folders = { VIRTUAL_ENV: 'venv/bin', CONDA_PREFIX: 'conda/bin', '.venv': '.venv/bin', PATH: 'bin' }
    const env = {
      ...emptyEnvironment(home),
      ...(where === 'VIRTUAL_ENV' ? { VIRTUAL_ENV: join(home, 'venv') } : {}),
      ...(where === 'CONDA_PREFIX' ? { CONDA_PREFIX: join(home, 'conda') } : {}),
    }
    const torch = makeLibtorch(join(home, 'torch'), '2.13.0')
    makePython(join(home, folders[where]), torch)
    t.is(locateLibtorch(env, home)?.root, torch)
    t.is(locateLibtorch(env, home)?.foundBy, 'python')
    makeLibtorch(torch, '2.14.0')
    t.is(locateLibtorch(env, home), undefined)
  })
}

test('a Python whose torch cannot be looked up is passed over', (t) => {
  const home = temporary(t)
  mkdirSync(join(home, 'bin'))
  writeFileSync(join(home, 'bin/python3'), '#!/bin/sh\nexit 3\n', { mode: 0o755 })
  t.is(locateLibtorch(emptyEnvironment(home), home), undefined)
})

test('folders behind links are one folder', (t) => {
  const home = temporary(t)
  const real = makeLibtorch(join(home, 'real'), '2.13.0')
  symlinkSync(real, join(home, 'link'))
  t.is(locateLibtorch({ ...emptyEnvironment(home), LIBTORCH: join(home, 'link') }, home)?.root, real)
})

test('MAGIC_GRPO_CACHE, then XDG_CACHE_HOME, then HOME name the cache', (t) => {
  t.is(cachedLibtorch({ HOME: '/h' }), '/h/.cache/magic-grpo/libtorch-2.13.0-cpu')
  t.is(cachedLibtorch({ HOME: '/h', XDG_CACHE_HOME: '/x' }), '/x/magic-grpo/libtorch-2.13.0-cpu')
  t.is(cachedLibtorch({ HOME: '/h', XDG_CACHE_HOME: '/x', MAGIC_GRPO_CACHE: '/m' }), '/m/libtorch-2.13.0-cpu')
})

test('a user without a home folder has a cache all the same', (t) => {
  const { homedir } = os
  const restore = () => {
    os.homedir = homedir
    syncBuiltinESMExports()
  }
  t.teardown(restore)
  os.homedir = () => {
    throw new Error('uv_os_homedir returned ENOENT')
  }
  syncBuiltinESMExports()
  t.is(cachedLibtorch({}), join(tmpdir(), '.cache/magic-grpo/libtorch-2.13.0-cpu'))
})
