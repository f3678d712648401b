import test from 'ava'
import { chooseWheel, requirementsOf } from '../../src/native/wheel-index.ts'

test('the wheel is chosen by version, system, processor and checksum', (t) => {
  const page = 'http://index.example/whl/cpu/torch/'
  const link = (name: string, hash: string | undefined) =>
    `<a href="../${encodeURIComponent(name)}${hash ? `#sha256=${hash}` : ''}">${name}</a>`
  const hash = (digit: string) => digit.repeat(64)
  const torch = { name: 'torch', extras: [], accepts: (version: string) => version === '2.13.0+cpu' }
  const html = [
    link('torch-2.12.0+cpu-cp312-cp312-manylinux_2_28_x86_64.whl', hash('1')),
    link('torch-2.13.0+cpu-cp312-cp312-win_amd64.whl', hash('2')),
    link('torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl', undefined),
    link('torch-2.13.0+cpu-cp312-cp312-manylinux_2_28_aarch64.whl', hash('3')),
    link('torch-2.13.0+cpu-cp312-cp312-linux_x86_64.whl', hash('4')),
  ].join('\n')
  t.like(chooseWheel(html, page, torch, 'x64'), {
    url: 'http://index.example/whl/cpu/torch-2.13.0%2Bcpu-cp312-cp312-linux_x86_64.whl',
    name: 'torch-2.13.0+cpu-cp312-cp312-linux_x86_64.whl',
    sha256: hash('4'),
  })
  t.is(chooseWheel(html, page, torch, 'arm64').sha256, hash('3'))
  t.throws(() => chooseWheel(html, page, torch, 's390x'), {
    message: /no fitting torch wheel with a checksum for linux s390x/,
  })
})

test('of several wheels that fit, the newest; a platform tag among others counts', (t) => {
  const page = 'http://index.example/simple/nvidia-cufft/'
  const names = ['12.0.0.9', '12.0.0.61', '12.1.0.1'].map(
    (version) => `nvidia_cufft-${version}-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl`,
  )
  const html = names.map((name) => `<a href="/${name}#sha256=${'5'.repeat(64)}">${name}</a>`).join('')
  const [wanted] = requirementsOf('Requires-Dist: nvidia-cufft==12.0.*\n', /^nvidia/)
  t.is(chooseWheel(html, page, wanted!, 'x64').name, names[1]!)
})

test('what the CUDA build of torch asks for, and the extras of cuda-toolkit', (t) => {
  const torch = `Requires-Dist: sympy>=1.13.3
Requires-Dist: cuda-toolkit[cublas,cudart]==13.0.3; platform_system == "Linux"
Requires-Dist: nvidia-nccl-cu13==2.30.7; platform_system == "Linux"
Requires-Dist: optree>=0.13.0; extra == "optree"
`
  const names = /^(nvidia|cuda-toolkit)\b/
  const asked = requirementsOf(torch, names)
  t.deepEqual(
    asked.map(({ name, extras }) => [name, extras]),
    [
      ['cuda-toolkit', ['cublas', 'cudart']],
      ['nvidia-nccl-cu13', []],
    ],
  )
  t.deepEqual(['13.0.3', '13.0.3.0', '13.0.30', '13.0.2'].map(asked[0]!.accepts), [true, true, false, false])
  const toolkit = `Requires-Dist: nvidia-cublas==13.1.1.3.*; (sys_platform == 'linux') and extra == 'cublas'
Requires-Dist: nvidia-nvjitlink<14,>=13.0.88; (sys_platform == 'linux') and extra == 'cublas'
Requires-Dist: nvidia-npp==13.0.1.2.*; (sys_platform == 'linux') and extra == 'npp'
`
  const [cublas, jitlink, ...rest] = requirementsOf(toolkit, names, asked[0]!.extras)
  t.deepEqual(rest, [])
  t.deepEqual(['13.1.1.3', '13.1.1.3.1', '13.1.1.30'].map(cublas!.accepts), [true, true, false])
  t.deepEqual(['13.0.87', '13.0.88', '13.5', '14.0'].map(jitlink!.accepts), [false, true, true, false])
  t.throws(() => requirementsOf('Requires-Dist: nvidia-x~=1.2\n', names), { message: /version specifier '~=1\.2'/ })
})
