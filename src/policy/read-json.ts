import { readFile } from 'node:fs/promises'
import { reasonOf } from '../checkpoint/safetensors.ts'
import { NativeError } from '../native/errors.ts'

/**
 * The content of a JSON file.
 *
 * @param fix what to give instead, where it cannot be read
 * @throws NativeError FILE
 */
export async function readJson(path: string, fix: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((error) => {
    throw new NativeError('FILE', `cannot read ${path}: ${reasonOf(error)}: ${fix}`)
  })
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new NativeError('FILE', `${path} is not valid JSON: ${(error as Error).message.split('\n')[0]}`)
  }
}
