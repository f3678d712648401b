import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { readFolderTensors, readTensors } from '../../src/checkpoint/safetensors.ts'
import { planShards, shardIndex } from '../../src/checkpoint/shards.ts'
import { NativeError } from '../../src/native/errors.ts'
import { safetensorsBytes } from '../reference/safetensors.ts'

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'magic-grpo-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

const tensor = (begin: number, end: number, rest: object = {}) => ({
  dtype: 'F32',
  shape: [(end - begin) / 4],
  data_offsets: [begin, end],
  ...rest,
})

function refused(t: ExecutionContext, bytes: Buffer, ...parts: string[]) {
  const path = join(folder(t), 'model.safetensors')
  writeFileSync(path, bytes)
  const error = t.throws(() => readTensors(path), { instanceOf: NativeError })
  for (const part of [path, ...parts]) t.true(error!.message.includes(part), `"${error!.message}" lacks "${part}"`)
}

test('reads names, types, shapes and places', async (t) => {
  const path = join(folder(t), 'model.safetensors')
  const header = JSON.stringify({
    __metadata__: { format: 'pt' },
    b: tensor(8, 16),
    a: tensor(0, 8, { dtype: 'BF16', shape: [2, 2] }),
  })
  writeFileSync(path, safetensorsBytes(`${header}   `, Buffer.alloc(16)))
  const start = 8 + header.length + 3
  t.deepEqual(readTensors(path), [
    { name: 'b', dtype: 'F32', shape: [2], path, begin: start + 8, end: start + 16 },
    { name: 'a', dtype: 'BF16', shape: [2, 2], path, begin: start, end: start + 8 },
  ])
})

test('reads scalars, empty tensors and names that JavaScript knows', async (t) => {
  const path = join(folder(t), 'model.safetensors')
  const header = `{"__proto__":${JSON.stringify(tensor(0, 4, { shape: [] }))},"constructor":${JSON.stringify(tensor(4, 4, { shape: [0, 7] }))}}`
  writeFileSync(path, safetensorsBytes(header, Buffer.alloc(4)))
  t.deepEqual(
    readTensors(path).map(({ name, shape }) => [name, shape]),
    [
      ['__proto__', []],
      ['constructor', [0, 7]],
    ],
  )
  t.is(({} as Record<string, unknown>).dtype, undefined)
})

const data = Buffer.alloc(16)
const hostile: [string, string, ...string[]][] = [
  ['no JSON', '{"a":', 'not valid JSON'],
  ['an array', '[]', 'JSON object', 'an array of 0'],
  ['no object for a tensor', '{"a":1}', '"a"', '1'],
  ['no dtype', '{"a":{"shape":[4],"data_offsets":[0,16]}}', '"a"', 'dtype undefined', 'F32'],
  ['an unsupported dtype', JSON.stringify({ a: tensor(0, 16, { dtype: 'F8_E4M3' }) }), '"a"', 'F8_E4M3', 'BF16'],
  ['a dtype that is no text', JSON.stringify({ a: tensor(0, 16, { dtype: ['F32'] }) }), '"a"', 'dtype an array of 1'],
  ['a negative extent', JSON.stringify({ a: tensor(0, 16, { shape: [-4] }) }), '"a"', '[-4]'],
  ['a fractional extent', JSON.stringify({ a: tensor(0, 16, { shape: [0.5, 8] }) }), '"a"', '[0.5,8]'],
  ['a shape that is none', JSON.stringify({ a: tensor(0, 16, { shape: 4 }) }), '"a"', 'shape 4'],
  ['a shape that overflows', JSON.stringify({ a: tensor(0, 16, { shape: [2 ** 40, 2 ** 40] }) }), '"a"', 'needs'],
  ['a shape of another size', JSON.stringify({ a: tensor(0, 16, { shape: [5] }) }), '"a"', 'needs 20 bytes', '16'],
  ['offsets beyond the file', JSON.stringify({ a: tensor(0, 20) }), '"a"', 'byte 20', '16'],
  ['offsets that fall', JSON.stringify({ a: tensor(0, 16, { data_offsets: [16, 0] }) }), '"a"', '[16,0]'],
  ['one offset', JSON.stringify({ a: tensor(0, 16, { data_offsets: [16] }) }), '"a"', '[16]'],
  ['a huge offset', '{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,1e300]}}', '"a"', '[0,1e+300]'],
  ['overlapping tensors', JSON.stringify({ a: tensor(0, 12), b: tensor(8, 16) }), '"a"', '"b"', 'overlap', 'byte 8'],
  ['the same bytes twice', JSON.stringify({ a: tensor(0, 16), b: tensor(0, 16) }), '"a"', '"b"', 'overlap'],
  ['a hole at the start', JSON.stringify({ a: tensor(4, 16) }), 'bytes 0 to 4', '"a"'],
  ['a hole in the middle', JSON.stringify({ a: tensor(0, 4), b: tensor(8, 16) }), 'bytes 4 to 8', '"a"', '"b"'],
  ['bytes after the end', JSON.stringify({ a: tensor(0, 12) }), 'bytes 12 to 16', '"a"'],
  ['a name twice', `{"a":${JSON.stringify(tensor(0, 8))},"a":${JSON.stringify(tensor(8, 16))}}`, '"a" twice'],
  [
    'a name twice, escaped',
    `{"a":${JSON.stringify(tensor(0, 8))},"\\u0061":${JSON.stringify(tensor(8, 16))}}`,
    '"a" twice',
  ],
  ['metadata that are no texts', JSON.stringify({ __metadata__: { a: 1 }, a: tensor(0, 16) }), '__metadata__'],
  ['deep nesting', `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, '"a"'],
]
for (const [what, header, ...parts] of hostile) {
  test(`refuses ${what}`, (t) => refused(t, safetensorsBytes(header, data), ...parts))
}

test('refuses headers that lie about their length', async (t) => {
  const header = JSON.stringify({ a: tensor(0, 16) })
  refused(t, Buffer.alloc(7), 'truncated', '7 bytes')
  refused(t, safetensorsBytes(header, data, 2n ** 63n), '9223372036854775808', 'the format allows 100000000')
  refused(t, safetensorsBytes(header, data, 1000n), 'truncated', '1008')
  refused(t, safetensorsBytes(header, data, 0n), 'not valid JSON')
  refused(t, Buffer.concat([safetensorsBytes('', data, 2n), Buffer.from([0xff, 0xfe])]).fill(0xff, 8), 'UTF-8')
})

test('a header of one long text is refused without harm', (t) =>
  refused(t, safetensorsBytes(`{"a":"${'\\n'.repeat(1_000_000)}"}`, data), '"a"'))

test('a name twice among 100,000 is found in time that grows with the header alone', async (t) => {
  const names = [...Array.from({ length: 100_000 }, (_, index) => `tensor${index}`), 'tensor99999']
  const header = `{${names.map((name) => `"${name}":0`).join()}}`
  const start = performance.now()
  refused(t, safetensorsBytes(header, data), '"tensor99999" twice')
  const took = performance.now() - start
  t.true(took < 5000, `it took ${took} ms`)
})

test('shards: the index decides, and only about its own folder', async (t) => {
  const dir = folder(t)
  const index = (map: unknown) =>
    writeFileSync(join(dir, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }))
  const failure = async (map: unknown, ...parts: string[]) => {
    index(map)
    const error = await t.throwsAsync(readFolderTensors(dir), { instanceOf: NativeError })
    for (const part of parts) t.true(error!.message.includes(part), `"${error!.message}" lacks "${part}"`)
  }
  writeFileSync(join(dir, 'one.safetensors'), safetensorsBytes(JSON.stringify({ a: tensor(0, 16) }), data))
  writeFileSync(join(dir, 'two.safetensors'), safetensorsBytes(JSON.stringify({ b: tensor(0, 16) }), data))
  index({ b: 'two.safetensors', a: 'one.safetensors' })
  t.deepEqual(
    (await readFolderTensors(dir)).map(({ name, path }) => [name, path]),
    [
      ['b', join(dir, 'two.safetensors')],
      ['a', join(dir, 'one.safetensors')],
    ],
  )
  await failure({ a: 'two.safetensors' }, '"a"', 'two.safetensors', 'does not have it')
  await failure({ a: 'three.safetensors' }, 'three.safetensors', 'no such file')
  await failure({ a: '../one.safetensors' }, '"a"', '"../one.safetensors"', 'of this folder')
  await failure({ a: '/etc/passwd' }, '"a"', '/etc/passwd')
  await failure([], 'weight_map', 'an array of 0')
  await failure(undefined, 'weight_map', 'undefined')
  mkdirSync(join(dir, 'model.safetensors'))
  await t.throwsAsync(readFolderTensors(dir), { instanceOf: NativeError })
})

test('shards are planned in order, up to the limit, and indexed', (t) => {
  const parameters = [
    { name: 'a', shape: [10] },
    { name: 'b', shape: [5, 2] },
    { name: 'c', shape: [100] },
    { name: 'd', shape: [1] },
  ]
  const one = planShards(parameters, 4)
  t.deepEqual(one, [{ file: 'model.safetensors', names: ['a', 'b', 'c', 'd'], bytes: 484 }])
  t.is(shardIndex(one), undefined)
  const shards = planShards(parameters, 4, 80)
  t.deepEqual(shards, [
    { file: 'model-00001-of-00003.safetensors', names: ['a', 'b'], bytes: 80 },
    { file: 'model-00002-of-00003.safetensors', names: ['c'], bytes: 400 },
    { file: 'model-00003-of-00003.safetensors', names: ['d'], bytes: 4 },
  ])
  t.deepEqual(shardIndex(shards), {
    metadata: { total_size: 484 },
    weight_map: {
      a: 'model-00001-of-00003.safetensors',
      b: 'model-00001-of-00003.safetensors',
      c: 'model-00002-of-00003.safetensors',
      d: 'model-00003-of-00003.safetensors',
    },
  })
})
