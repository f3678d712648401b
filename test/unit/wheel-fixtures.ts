import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { ExecutionContext } from 'ava'
import { type FetchOptions, fetchLibtorch } from '../../src/native/libtorch-fetch.ts'
import { SHARED_LIBRARY } from './shared-library.ts'

/** A zip of stored files with Unix modes, as wheels are. */
export function zip(files: Record<string, string>, mode = 0o100755): Buffer {
  const locals: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const [name, text] of Object.entries(files)) {
    const [nameBytes, data] = [Buffer.from(name), Buffer.from(text)]
    const common = Buffer.alloc(26)
    common.writeUInt16LE(20, 0)
    common.writeUInt32LE(crc32(data), 10)
    common.writeUInt32LE(data.length, 14)
    common.writeUInt32LE(data.length, 18)
    common.writeUInt16LE(nameBytes.length, 22)
    const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), common, nameBytes, data])
    const rest = Buffer.alloc(14)
    rest.writeUInt32LE(mode * 0x10000, 6)
    rest.writeUInt32LE(offset, 10)
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x03', 'latin1'), common, rest, nameBytes]))
    locals.push(local)
    offset += local.length
  }
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(directory.length, 8)
  end.writeUInt16LE(directory.length, 10)
  end.writeUInt32LE(Buffer.concat(directory).length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...locals, ...directory, end])
}

const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64'
export const wheelName = `torch-2.13.0+cpu-cp312-cp312-manylinux_2_28_${machine}.whl`
export const wheel = zip({
  'torch/version.py': "__version__ = '2.13.0+cpu'\n",
  'torch/include/ATen/core/Tensor.h': '#pragma once\n',
  'torch/lib/libtorch_cpu.so': SHARED_LIBRARY,
  'torch/lib/libc10.so': SHARED_LIBRARY,
  'torch/lib/libtorch.so': SHARED_LIBRARY,
  'torch/lib/libtorch_python.so': 'python',
  'torch/share/cmake/Torch/TorchConfig.cmake': '# cmake\n',
  'torch/nn/functional.py': 'pass\n',
  'torch-2.13.0+cpu.dist-info/licenses/LICENSE': 'BSD\n',
})
export const sha256 = createHash('sha256').update(wheel).digest('hex')

export function temporary(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'fetch-test-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** An index in pip's simple layout with one wheel; answers how often the wheel was asked for. */
export async function index(t: ExecutionContext, announced = sha256) {
  const asked = { wheels: 0 }
  const server = createServer((request, response) => {
    if (request.url === '/whl/cpu/torch/') {
      const links = [
        `<a href="/whl/cpu/torch-2.13.0%2Bcpu-cp312-cp312-win_amd64.whl#sha256=${'0'.repeat(64)}">windows</a>`,
        `<a href="/whl/cpu/${wheelName.replaceAll('+', '%2B')}#sha256=${announced}">${wheelName}</a>`,
      ]
      response.end(`<!DOCTYPE html><html><body>${links.join('<br>')}</body></html>`)
    } else if (request.url?.endsWith('.whl')) {
      asked.wheels++
      response.end(wheel)
    } else response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/whl/cpu`, asked }
}

/** Whatever machine the test runs on. */
export function fetchHere(options: FetchOptions) {
  return fetchLibtorch({ libc: 'glibc', freeBytes: async () => undefined, ...options })
}

/** A pip that runs this shell script; "$@" are pip's arguments. */
export function fakePip(folder: string, script: string): string {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'pip'), `#!/bin/sh\n[ "$1" = --version ] && exit 0\n${script}\n`)
  chmodSync(join(folder, 'pip'), 0o755)
  return folder
}
