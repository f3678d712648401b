import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { cudaArchitectures } from '../../src/install/build-addon.ts'
import { temporaryFolder } from '../native/tiny.ts'

/** A PATH with these programs alone. */
function path(t: ExecutionContext, programs: Record<string, string>): { PATH: string } {
  const folder = temporaryFolder(t)
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`)
    chmodSync(join(folder, name), 0o755)
  }
  return { PATH: folder }
}

test('without nvcc there are no CUDA kernels, whatever is asked for', (t) => {
  t.is(cudaArchitectures({ ...path(t, {}), MAGIC_GRPO_CUDA_ARCHITECTURES: '90' }), undefined)
})

test('CUDA kernels are compiled for the devices of this machine, each architecture once', (t) => {
  const devices = path(t, { nvcc: '', 'nvidia-smi': 'echo 9.0; echo 8.6; echo 9.0' })
  t.deepEqual(cudaArchitectures(devices), ['86', '90'])
})

test('where there is no device, machine code and PTX for sm_80', (t) => {
  t.deepEqual(cudaArchitectures(path(t, { nvcc: '' })), ['80'])
  const failing = path(t, { nvcc: '', 'nvidia-smi': 'echo "NVIDIA-SMI has failed"; exit 9' })
  t.deepEqual(cudaArchitectures(failing), ['80'])
})

test('MAGIC_GRPO_CUDA_ARCHITECTURES names others', (t) => {
  const env = { ...path(t, { nvcc: '' }), MAGIC_GRPO_CUDA_ARCHITECTURES: '90-real;100' }
  t.deepEqual(cudaArchitectures(env), ['90-real', '100'])
})
