import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { download } from '../../src/native/download.ts'

const content = randomBytes(300_000)
const sha256 = createHash('sha256').update(content).digest('hex')

async function serve(t: ExecutionContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/file`
}

function target(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'download-test-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'deep', 'file.bin')
}

/** Answers Range requests as file servers do, and remembers what was asked. */
function fileServer(ranges: (string | undefined)[]): RequestListener {
  return (request, response) => {
    const range = request.headers.range
    ranges.push(range)
    const start = Number(range?.match(/^bytes=(\d+)-$/)?.[1] ?? 0)
    if (range && start >= content.length) return void response.writeHead(416).end()
    const headers = {
      'content-length': content.length - start,
      'content-range': `bytes ${start}-${content.length - 1}/${content.length}`,
    }
    response.writeHead(range ? 206 : 200, headers).end(content.subarray(start))
  }
}

test('a whole file arrives, checked, with its progress', async (t) => {
  const ranges: (string | undefined)[] = []
  const url = await serve(t, fileServer(ranges))
  const path = target(t)
  const progress: [number, number | undefined][] = []
  await download({ url, path, sha256, onProgress: (done, total) => progress.push([done, total]) })
  t.deepEqual(readFileSync(path), content)
  t.deepEqual(ranges, [undefined])
  t.deepEqual(progress.at(-1), [content.length, content.length])
  t.false(existsSync(`${path}.part`))
})

test('a connection that breaks is taken up where it broke', async (t) => {
  const ranges: (string | undefined)[] = []
  const serveFile = fileServer(ranges)
  const url = await serve(t, (request, response) => {
    if (ranges.length > 0) return serveFile(request, response)
    ranges.push(request.headers.range)
    response.writeHead(200, { 'content-length': content.length })
    response.write(content.subarray(0, 100_000), () => response.destroy())
  })
  const path = target(t)
  await download({ url, path, sha256, retryDelay: 1 })
  t.deepEqual(readFileSync(path), content)
  t.is(ranges.length, 2)
  t.regex(ranges[1]!, /^bytes=[1-9]\d*-$/)
})

test('the part of an earlier run is taken up', async (t) => {
  const ranges: (string | undefined)[] = []
  const url = await serve(t, fileServer(ranges))
  const path = target(t)
  await t.throwsAsync(download({ url: `${new URL(url).origin.replace(/\d+$/, '1')}/`, path, sha256, attempts: 1 }))
  writeFileSync(`${path}.part`, content.subarray(0, 123_456))
  await download({ url, path, sha256 })
  t.deepEqual(readFileSync(path), content)
  t.deepEqual(ranges, ['bytes=123456-'])
})

test('a part that is already whole only needs its check', async (t) => {
  const ranges: (string | undefined)[] = []
  const url = await serve(t, fileServer(ranges))
  const path = target(t)
  await download({ url, path, sha256 })
  rmSync(path)
  writeFileSync(`${path}.part`, content)
  await download({ url, path, sha256 })
  t.deepEqual(readFileSync(path), content)
  t.deepEqual(ranges, [undefined, `bytes=${content.length}-`])
})

test('a file that is there and right is not asked for again, one that is wrong is', async (t) => {
  const ranges: (string | undefined)[] = []
  const url = await serve(t, fileServer(ranges))
  const path = target(t)
  await download({ url, path, sha256 })
  await download({ url, path, sha256 })
  t.is(ranges.length, 1)
  writeFileSync(path, 'other bytes')
  await download({ url, path, sha256 })
  t.is(ranges.length, 2)
  t.deepEqual(readFileSync(path), content)
})

test('a server that knows no ranges starts anew', async (t) => {
  const url = await serve(t, (_request, response) => void response.writeHead(200).end(content))
  const path = target(t)
  await download({ url, path, sha256 })
  rmSync(path)
  writeFileSync(`${path}.part`, Buffer.concat([content, Buffer.from('more than there is')]))
  await download({ url, path, sha256 })
  t.deepEqual(readFileSync(path), content)
})

test('a wrong checksum is an error that names both, and the bytes are removed', async (t) => {
  const url = await serve(t, fileServer([]))
  const path = target(t)
  const wrong = 'ab'.repeat(32)
  const error = await t.throwsAsync(download({ url, path, sha256: wrong }))
  t.true(error.message.includes(wrong) && error.message.includes(sha256), error.message)
  t.false(existsSync(path))
  t.false(existsSync(`${path}.part`))
})

test('a part with wrong bytes does not survive its check, and the next try is clean', async (t) => {
  const url = await serve(t, fileServer([]))
  const path = target(t)
  await download({ url, path, sha256 })
  rmSync(path)
  writeFileSync(`${path}.part`, Buffer.alloc(1_000))
  await t.throwsAsync(download({ url, path, sha256 }), { message: /SHA-256/ })
  await download({ url, path, sha256 })
  t.deepEqual(readFileSync(path), content)
})

test('404 is final at once; 503 is tried again as often as said', async (t) => {
  for (const [status, expected] of [
    [404, 1],
    [503, 3],
  ] as const) {
    let asked = 0
    const url = await serve(t, (_request, response) => {
      asked++
      response.writeHead(status).end()
    })
    await t.throwsAsync(download({ url, path: target(t), sha256, attempts: 3, retryDelay: 1 }), {
      message: new RegExp(`${url} failed: the server answered ${status}`),
    })
    t.is(asked, expected)
  }
})

test('a server that sends another range than asked is refused', async (t) => {
  const url = await serve(t, (_request, response) => {
    response.writeHead(206, { 'content-range': `bytes 0-9/${content.length}` }).end(content.subarray(0, 10))
  })
  const path = target(t)
  await t.throwsAsync(download({ url: 'http://127.0.0.1:1/', path, sha256, attempts: 1 }))
  writeFileSync(`${path}.part`, content.subarray(0, 5_000))
  await t.throwsAsync(download({ url, path, sha256, retryDelay: 1 }), {
    message: /asked for bytes from 5000, the server sent 'bytes 0-9/,
  })
  t.is(readFileSync(`${path}.part`).length, 5_000)
})
