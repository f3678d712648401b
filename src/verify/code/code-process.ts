import type { ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'

/** A program that speaks in frames: the length of a JSON text in decimal, a newline, the text. */
export class CodeProcess {
  readonly #child: ChildProcess
  readonly #group: boolean
  readonly #maxFrame: number
  #received: Buffer[] = []
  #size = 0
  #frames: Buffer[] = []
  #waiting: { resolve(frame: Buffer): void; reject(error: Error): void } | undefined
  #ended: Error | undefined
  #errors = ''

  /** @param group kill the whole process group, where no namespace ends with its first process */
  constructor(child: ChildProcess, maxFrame: number, group: boolean) {
    this.#child = child
    this.#maxFrame = maxFrame
    this.#group = group
    child.stdin!.on('error', () => {}) // the exit says more
    child.stdout!.on('data', (data: Buffer) => this.#read(data))
    child.stderr!.on('data', (data: Buffer) => {
      this.#errors = (this.#errors + data.toString()).slice(-2000)
    })
    child.on('error', (error) => this.#end(error))
    child.on('close', (code, signal) => {
      this.#end(new ProcessEnded(signal ?? `exit status ${code}`, this.#errors.trim()))
    })
  }

  /** Whether it still runs and has kept to the protocol. */
  get alive(): boolean {
    return this.#ended === undefined
  }

  send(frame: Buffer | string): void {
    if (!this.alive) return
    this.#child.stdin!.write(`${Buffer.byteLength(frame)}\n`)
    this.#child.stdin!.write(frame)
  }

  /** The next frame. One caller at a time. @throws ProcessEnded */
  receive(): Promise<Buffer> {
    const frame = this.#frames.shift()
    if (frame) return Promise.resolve(frame)
    if (this.#ended) return Promise.reject(this.#ended)
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }

  /** Ends it with all that it has started. Whoever waits for a frame gets `reason`. */
  kill(reason: Error): void {
    this.#end(reason)
    const { pid } = this.#child
    if (pid === undefined) return
    try {
      if (this.#group) process.kill(-pid, 'SIGKILL')
      else this.#child.kill('SIGKILL')
    } catch {
      // it has ended by itself
    }
  }

  /** Lets Node end while this runs, until ref. */
  unref(): void {
    this.#child.unref()
    for (const stream of this.#streams()) stream.unref()
  }

  ref(): void {
    this.#child.ref()
    for (const stream of this.#streams()) stream.ref()
  }

  #streams(): Socket[] {
    return [this.#child.stdin, this.#child.stdout, this.#child.stderr] as Socket[]
  }

  #end(error: Error): void {
    if (this.#ended) return
    this.#ended = error
    this.#received = []
    this.#waiting?.reject(error)
    this.#waiting = undefined
  }

  #read(data: Buffer): void {
    if (!this.alive) return
    this.#received.push(data)
    this.#size += data.length
    while (this.alive) {
      const head = headOf(this.#received)
      const newline = head.indexOf(0x0a)
      if (newline < 0) {
        if (head.length > 20) this.kill(new ProtocolError('a frame without a length'))
        return
      }
      const digits = head.toString('latin1', 0, newline)
      const length = /^\d{1,10}$/.test(digits) ? Number(digits) : Number.NaN
      if (!(length <= this.#maxFrame)) {
        this.kill(new ProtocolError(`more than ${this.#maxFrame} bytes at once`))
        return
      }
      const end = newline + 1 + length
      if (this.#size < end) return
      const all = Buffer.concat(this.#received)
      this.#received = all.length > end ? [all.subarray(end)] : []
      this.#size = all.length - end
      this.#deliver(all.subarray(newline + 1, end))
    }
  }

  #deliver(frame: Buffer): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting) waiting.resolve(frame)
    else if (this.#frames.push(frame) > MAX_UNREAD) this.kill(new ProtocolError('frames that nobody asked for'))
  }
}

/** Frames that may wait: one side speaks at a time. */
const MAX_UNREAD = 4

/** The first bytes, enough for a length. */
function headOf(parts: readonly Buffer[]): Buffer {
  const [first] = parts
  if (!first) return Buffer.alloc(0)
  return first.length > 20 || parts.length === 1
    ? first.subarray(0, 21)
    : Buffer.concat(parts.slice(0, 22)).subarray(0, 21)
}

/** The program has ended by itself. */
export class ProcessEnded extends Error {
  override readonly name = 'ProcessEnded'
  /** end of what it wrote to standard error */
  readonly errors: string

  constructor(how: string, errors: string) {
    super(how)
    this.errors = errors
  }
}

/** It has not kept to the protocol, so it was killed. */
class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
}
