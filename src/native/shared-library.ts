import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

const HEADER_BYTES = 64

/**
 * Why a shared library can't be whole, read from its ELF header: a download or a copy that was cut off has less than the
 * header says. Undefined where nothing speaks against it; what is wrong within is left to the loader.
 */
export function damageOf(path: string): string | undefined {
  let file: number | undefined
  try {
    file = openSync(path, 'r')
    const { size } = fstatSync(file)
    const header = Buffer.alloc(HEADER_BYTES)
    if (readSync(file, header, 0, HEADER_BYTES, 0) < HEADER_BYTES || header.toString('latin1', 0, 4) !== '\x7fELF')
      return `${path} is no shared library (${size} bytes)`
    // the table of sections closes the file
    const end = Number(header.readBigUInt64LE(40)) + header.readUInt16LE(58) * header.readUInt16LE(60)
    return size < end ? `${path} is cut off: it has ${size} of at least ${end} bytes` : undefined
  } catch (error) {
    return (error as Error).message
  } finally {
    if (file !== undefined) closeSync(file)
  }
}
