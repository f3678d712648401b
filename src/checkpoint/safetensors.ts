import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { TensorSource } from '../native/contract.ts'
import { describe, NativeError } from '../native/errors.ts'

/** What the safetensors format itself allows. */
const maxHeaderBytes = 100_000_000
const bytesOf: ReadonlyMap<unknown, number> = new Map([
  ['F32', 4],
  ['F16', 2],
  ['BF16', 2],
  ['F64', 8],
])
const singleFile = 'model.safetensors'
const indexFile = 'model.safetensors.index.json'

/**
 * Where each tensor of a Hugging Face folder lies: in model.safetensors, or in the shards that
 * model.safetensors.index.json names. Headers are checked completely; no tensor is read.
 *
 * @throws NativeError FILE naming the file, the tensor and the value
 */
export async function readFolderTensors(dir: string): Promise<TensorSource[]> {
  const names = await readdir(dir).catch((error) => fail(`cannot read folder ${dir}: ${reasonOf(error)}`))
  if (names.includes(singleFile)) return readTensors(join(dir, singleFile))
  if (names.includes(indexFile)) return readShards(dir)
  const other = names.find((name) => /\.(bin|pt|pth|gguf|safetensors)$/.test(name))
  return fail(
    `${dir} has neither ${singleFile} nor ${indexFile}` +
      (other === undefined
        ? ': give a Hugging Face model folder'
        : `, but ${other}: convert it with save_pretrained(..., safe_serialization=True) of transformers`),
  )
}

/**
 * The tensors of one safetensors file. Synchronous, so that a policy's call that needs them keeps its place among the
 * others; a header is small.
 *
 * @throws NativeError FILE
 */
export function readTensors(path: string): TensorSource[] {
  const { header, dataStart, dataBytes } = readHeader(path)
  const sources = Object.entries(parseHeader(header, path))
    .filter(([name, value]) => name !== '__metadata__' || checkMetadata(value, path))
    .map(([name, value]) => tensorSource(name, value, path, dataBytes))
  checkCoverage(sources, path, dataBytes)
  return sources.map((source) => ({ ...source, begin: source.begin + dataStart, end: source.end + dataStart }))
}

async function readShards(dir: string): Promise<TensorSource[]> {
  const path = join(dir, indexFile)
  const text = await readFile(path, 'utf8').catch((error) => fail(`cannot read ${path}: ${reasonOf(error)}`))
  const index = parseObject(text, path)
  const map = index.weight_map
  if (!isObject(map)) return fail(`${path}: weight_map is ${describe(map)}; it must name the file of each tensor`)
  const shards = new Map<string, Map<string, TensorSource>>()
  const sources: TensorSource[] = []
  for (const [name, file] of Object.entries(map)) {
    if (typeof file !== 'string' || basename(file) !== file || !file.endsWith('.safetensors'))
      return fail(
        `${path}: tensor ${describe(name)} is said to be in ${describe(file)}; it must be a .safetensors file of this folder`,
      )
    let shard = shards.get(file)
    if (!shard) {
      shard = new Map(readTensors(join(dir, file)).map((source) => [source.name, source]))
      shards.set(file, shard)
    }
    sources.push(
      shard.get(name) ?? fail(`${path}: tensor ${describe(name)} is said to be in ${file}, but that does not have it`),
    )
  }
  return sources
}

function readHeader(path: string): { header: string; dataStart: number; dataBytes: number } {
  const file = openHeader(path)
  try {
    const stat = fstatSync(file)
    if (!stat.isFile()) return fail(`cannot read ${path}: not a file`)
    if (stat.size < 8) return fail(`${path} is truncated: it has ${stat.size} bytes, the header's length alone takes 8`)
    const length = Buffer.alloc(8)
    readSync(file, length, 0, 8, 0)
    const headerBytes = length.readBigUInt64LE()
    if (headerBytes > maxHeaderBytes)
      return fail(
        `${path}: the header is said to have ${headerBytes} bytes, the format allows ${maxHeaderBytes}: not a safetensors file, or damaged`,
      )
    const dataStart = 8 + Number(headerBytes)
    if (dataStart > stat.size)
      return fail(
        `${path} is truncated: the header ends at byte ${dataStart}, the file at ${stat.size}: download it again`,
      )
    const bytes = Buffer.alloc(Number(headerBytes))
    const bytesRead = readSync(file, bytes, 0, bytes.length, 8)
    if (bytesRead < bytes.length) return fail(`${path} is truncated: its header could not be read in full`)
    return { header: decode(bytes, path), dataStart, dataBytes: stat.size - dataStart }
  } finally {
    closeSync(file)
  }
}

function openHeader(path: string): number {
  try {
    // a pipe would else block until something writes to it
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    return fail(`cannot open ${path}: ${reasonOf(error)}`)
  }
}

function decode(bytes: Buffer, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return fail(`${path}: the header is not UTF-8`)
  }
}

function parseHeader(text: string, path: string): Record<string, unknown> {
  const header = parseObject(text, path)
  const seen = new Set<string>()
  for (const name of topLevelKeys(text)) {
    if (seen.has(name)) return fail(`${path}: the header names tensor ${describe(name)} twice`)
    seen.add(name)
  }
  return header
}

function parseObject(text: string, path: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return fail(`${path}: not valid JSON: ${(error as Error).message.split('\n')[0]}`)
  }
  return isObject(value) ? value : fail(`${path}: it must hold a JSON object, got ${describe(value)}`)
}

/** Keys of the outermost object of valid JSON, repeated ones included: JSON.parse keeps only the last of them. */
function topLevelKeys(text: string): string[] {
  const keys: string[] = []
  let depth = 0
  let string = ''
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (character === '"') {
      const start = at++
      for (; text[at] !== '"'; at++) if (text[at] === '\\') at++
      string = text.slice(start, at + 1)
    } else if (character === ':' && depth === 1) keys.push(JSON.parse(string))
    else if (character === '{' || character === '[') depth++
    else if (character === '}' || character === ']') depth--
  }
  return keys
}

function tensorSource(name: string, value: unknown, path: string, dataBytes: number): TensorSource {
  const tensor = `${path}: tensor ${describe(name)}`
  if (!isObject(value))
    return fail(`${tensor} is ${describe(value)}; it must be an object with dtype, shape and data_offsets`)
  const { dtype, shape, data_offsets: offsets } = value
  const size = bytesOf.get(dtype)
  if (size === undefined)
    return fail(`${tensor} has dtype ${describe(dtype)}; supported: ${[...bytesOf.keys()].join(', ')}`)
  if (!Array.isArray(shape) || !shape.every(isCount))
    return fail(`${tensor} has shape ${JSON.stringify(shape)}; it must be an array of whole numbers`)
  if (!isRange(offsets)) return fail(`${tensor} has data_offsets ${JSON.stringify(offsets)}; they must be [begin, end]`)
  const [begin, end] = offsets
  if (end > dataBytes)
    return fail(
      `${tensor} ends at byte ${end} of the data, but the file has only ${dataBytes}: truncated or damaged, download it again`,
    )
  const bytes = shape.reduce((product: number, extent: number) => product * extent, size)
  if (bytes !== end - begin)
    return fail(
      `${tensor}, ${dtype} ${JSON.stringify(shape)}, needs ${bytes} bytes, but data_offsets give it ${end - begin}`,
    )
  return { name, dtype: dtype as TensorSource['dtype'], shape, path, begin, end }
}

/** The tensors must cover the data without overlap or hole, as the format demands: nothing hides in between. */
function checkCoverage(sources: TensorSource[], path: string, dataBytes: number): void {
  let covered = 0
  let before = 'the start'
  for (const { name, begin, end } of [...sources].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin < covered) fail(`${path}: tensors ${describe(name)} and ${before} overlap at byte ${begin} of the data`)
    if (begin > covered)
      fail(
        `${path}: bytes ${covered} to ${begin} of the data, between ${before} and tensor ${describe(name)}, belong to no tensor`,
      )
    covered = end
    before = describe(name)
  }
  if (covered < dataBytes)
    fail(`${path}: bytes ${covered} to ${dataBytes} of the data, after ${before}, belong to no tensor`)
}

function checkMetadata(value: unknown, path: string): false {
  if (!isObject(value) || !Object.values(value).every((entry) => typeof entry === 'string'))
    fail(`${path}: __metadata__ must be an object of strings`)
  return false
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function isRange(value: unknown): value is [number, number] {
  return Array.isArray(value) && value.length === 2 && value.every(isCount) && value[0]! <= value[1]!
}

/** `no such file or directory` out of Node's longer text. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return code === 'ENOENT' ? 'no such file or directory' : message
}

function fail(message: string): never {
  throw new NativeError('FILE', message)
}
