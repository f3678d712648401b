import { mkdir, open, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { writeAtomic } from './atomic-write.ts'

/** A file of one JSON object a line that grows by whole, durable lines. */
export class JsonLines<T extends object> {
  readonly path: string

  constructor(path: string) {
    this.path = path
  }

  /** All records in one write, so that a kill does not come between them. */
  async append(...records: T[]): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true })
    const file = await open(this.path, 'a')
    try {
      await file.appendFile(records.map((record) => `${JSON.stringify(record)}\n`).join(''))
      await file.sync()
    } finally {
      await file.close()
    }
  }

  /** Every whole line; the end of a line that a killed process left is not one. Empty where there is no file. */
  async read(): Promise<T[]> {
    const text = (await this.#text()) ?? ''
    const whole = text.slice(0, text.lastIndexOf('\n') + 1)
    return whole
      .split('\n')
      .filter((line) => line !== '')
      .map((line, index) => {
        try {
          return JSON.parse(line) as T
        } catch {
          throw new Error(`${this.path}:${index + 1}: not a JSON line; remove the line or start in another folder`)
        }
      })
  }

  /** Drops what is past `step`, as a resumed run writes it again; where there is no file there will be none. */
  async truncateAfter(this: JsonLines<{ step: number }>, step: number): Promise<void> {
    if ((await this.#text()) !== undefined)
      await this.rewrite((await this.read()).filter((record) => record.step <= step))
  }

  /** Replaces all records; also what makes a file whole again whose last line was cut off. */
  async rewrite(records: readonly T[]): Promise<void> {
    await writeAtomic(this.path, records.map((record) => `${JSON.stringify(record)}\n`).join(''))
  }

  /** The file's content, or undefined where there is no file. */
  async #text(): Promise<string | undefined> {
    return readFile(this.path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
  }
}
