import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { extname } from 'node:path'

/** One record of a data file, as it stands there. */
export interface Row {
  /** file and line (JSONL, from 1) or row (Parquet, from 0), for messages */
  where: string
  fields: Record<string, unknown>
}

/**
 * Reads a data file: JSON Lines (`.jsonl`, `.ndjson`) or Parquet (`.parquet`, any of its compressions).
 *
 * Parquet's 64-bit integers become numbers where a number holds them exactly, else decimal strings; its times become
 * ISO 8601 strings, its nulls `null`.
 *
 * @throws Error that names the file, the line and what to do: missing file, unknown extension, bad JSON, a row that is
 *   no object, a damaged Parquet file
 */
export async function readRows(path: string): Promise<Row[]> {
  const extension = extname(path).toLowerCase()
  const read = { '.jsonl': readJsonLines, '.ndjson': readJsonLines, '.parquet': readParquet }[extension]
  if (!read) throw new Error(`${path}: rows are read from .jsonl, .ndjson or .parquet, not from '${extension}'`)
  const info = await stat(path).catch(() => null)
  if (!info) throw new Error(`${path}: no such file: give the path of a .jsonl or .parquet file`)
  if (!info.isFile()) throw new Error(`${path}: is a folder, not a file`)
  return read(path)
}

async function readJsonLines(path: string): Promise<Row[]> {
  const rows: Row[] = []
  let number = 0
  for await (const line of lines(path)) {
    number++
    if (line.trim() === '') continue
    const where = `${path}:${number}`
    rows.push({ where, fields: parseObject(line, where) })
  }
  return rows
}

function parseObject(line: string, where: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (error) {
    throw new Error(`${where}: not valid JSON: ${(error as Error).message}`, { cause: error })
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new Error(`${where}: expected one JSON object a line, found ${preview(line)}`)
  }
  return value as Record<string, unknown>
}

/** node:readline also splits at U+2028 and U+2029, which are plain text within JSON. */
async function* lines(path: string): AsyncGenerator<string> {
  let parts: string[] = []
  for await (const chunk of createReadStream(path, { encoding: 'utf8', highWaterMark: 1 << 20 })) {
    const [first, ...others] = (chunk as string).split('\n')
    parts.push(first!)
    for (const other of others) {
      yield withoutBom(parts.join(''))
      parts = [other]
    }
  }
  yield withoutBom(parts.join(''))
}

function withoutBom(line: string): string {
  return line.startsWith('\ufeff') ? line.slice(1) : line
}

async function readParquet(path: string): Promise<Row[]> {
  const [{ asyncBufferFromFile, parquetReadObjects }, { compressors }] = await Promise.all([
    import('hyparquet'),
    import('hyparquet-compressors'),
  ])
  let records: Record<string, unknown>[]
  try {
    records = await parquetReadObjects({ file: await asyncBufferFromFile(path), compressors })
  } catch (error) {
    throw new Error(`${path}: not a readable Parquet file: ${(error as Error).message}`, { cause: error })
  }
  return records.map((record, row) => ({
    where: `${path}, row ${row}`,
    fields: plain(record) as Record<string, unknown>,
  }))
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
  if (value === undefined || value === null) return null
  if (value instanceof Date) return value.toISOString()
  if (ArrayBuffer.isView(value)) return value instanceof Uint8Array ? value : Array.from(value as never, plain)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, plain(entry)]))
  }
  return value
}

function preview(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}...` : text
}
