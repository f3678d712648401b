import { writeFileSync } from 'node:fs'

/** A float32 tensor to write. */
export interface WrittenTensor {
  name: string
  shape: number[]
  values: Float32Array
}

/** A safetensors file by the format's description, independent of the package's own writer. */
export function writeSafetensors(path: string, tensors: WrittenTensor[]): void {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } }
  let offset = 0
  for (const { name, shape, values } of tensors) {
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + values.byteLength] }
    offset += values.byteLength
  }
  const data = Buffer.concat(
    tensors.map(({ values }) => Buffer.from(values.buffer, values.byteOffset, values.byteLength)),
  )
  writeFileSync(path, safetensorsBytes(JSON.stringify(header), data))
}

/** The bytes of a file with this header, however wrong, and this data. */
export function safetensorsBytes(header: string, data: Uint8Array, headerLength?: bigint): Buffer {
  const text = Buffer.from(header)
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(headerLength ?? BigInt(text.length))
  return Buffer.concat([length, text, data])
}
