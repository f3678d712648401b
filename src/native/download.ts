import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface DownloadOptions {
  url: string
  /** the finished file; a part of it waits beside it as `path.part` */
  path: string
  /** of the whole file, hexadecimal */
  sha256: string
  /** called with bytes so far and bytes in all, where the server tells */
  onProgress?: (bytes: number, total: number | undefined) => void
  /** tries that may fail one after another without a byte gained */
  attempts?: number
  /** before the second try, milliseconds; doubles each time */
  retryDelay?: number
}

/** The server's answer is final: trying again would not help. */
class Refused extends Error {}

/**
 * Downloads a file: goes on where an earlier try stopped (HTTP Range), checks the SHA-256 of the whole, and only then
 * gives it its name. A part that turns out wrong is removed; a file of that name and SHA-256 is left as it is.
 */
export async function download(options: DownloadOptions): Promise<void> {
  const { url, path, sha256, attempts = 5, retryDelay = 1_000 } = options
  const part = `${path}.part`
  await mkdir(dirname(path), { recursive: true })
  if ((await sizeOf(path)) > 0 && (await hashOf(path)) === sha256.toLowerCase()) return
  for (let failures = 0; ; ) {
    const before = await sizeOf(part)
    try {
      await continueDownload(part, options)
      break
    } catch (error) {
      failures = (await sizeOf(part)) > before ? 1 : failures + 1
      if (error instanceof Refused || failures >= attempts) {
        const gained = await sizeOf(part)
        const kept = gained > 0 ? ` The ${gained} bytes so far are kept; the next try goes on from there.` : ''
        throw new Error(`download of ${url} failed: ${reasonOf(error)}.${kept}`, { cause: error })
      }
      await sleep(retryDelay * 2 ** (failures - 1))
    }
  }
  const actual = await hashOf(part)
  if (actual !== sha256.toLowerCase()) {
    const bytes = await sizeOf(part)
    await rm(part, { force: true })
    throw new Error(
      `${url}: SHA-256 of the ${bytes} bytes received is ${actual}, but ${sha256} was announced; they were removed`,
    )
  }
  await rename(part, path)
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

/** Fetches what the part lacks and appends it. */
async function continueDownload(part: string, { url, onProgress }: DownloadOptions): Promise<void> {
  const have = await sizeOf(part)
  const response = await fetch(url, { headers: have > 0 ? { range: `bytes=${have}-` } : {} })
  // nothing lies beyond the part: it is whole, or the checksum will say that it is not
  if (response.status === 416) return void (await response.body?.cancel())
  if (!response.ok || !response.body) {
    const text = `the server answered ${response.status} ${response.statusText}`
    throw response.status >= 500 || response.status === 429 ? new Error(text) : new Refused(text)
  }
  const start = response.status === 206 ? rangeStart(response.headers.get('content-range'), have) : 0
  const length = response.headers.get('content-length')
  const total = length === null ? undefined : start + Number(length)
  const file = await open(part, start > 0 ? 'r+' : 'w')
  try {
    const end = await append(file, start, response.body, (bytes) => onProgress?.(bytes, total))
    if (total !== undefined && end < total) throw new Error(`the connection ended after ${end} of ${total} bytes`)
    await file.truncate(end)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function append(
  file: FileHandle,
  start: number,
  body: AsyncIterable<Uint8Array>,
  onBytes: (bytes: number) => void,
): Promise<number> {
  let end = start
  for await (const chunk of body) {
    await file.write(chunk, 0, chunk.length, end)
    end += chunk.length
    onBytes(end)
  }
  return end
}

function rangeStart(header: string | null, asked: number): number {
  const start = Number(header?.match(/^bytes (\d+)-/)?.[1])
  if (start !== asked)
    throw new Refused(`asked for bytes from ${asked}, the server sent '${header ?? 'no content-range'}'`)
  return start
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0
}

function reasonOf(error: unknown): string {
  const { message, cause } = error as Error
  return cause instanceof Error ? `${message} (${cause.message})` : message
}
