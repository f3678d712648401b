/** Parameters that go into one file. */
export interface Shard {
  file: string
  names: string[]
  bytes: number
}

const maxShardBytes = 5e9

/**
 * Spreads parameters, in their order, over files of at most `limit` bytes, named as transformers names them; one
 * parameter that is bigger has a file of its own.
 *
 * @param bytesPerValue of the type they are written in
 */
export function planShards(
  parameters: readonly { name: string; shape: readonly number[] }[],
  bytesPerValue: number,
  limit: number = maxShardBytes,
): Shard[] {
  const groups: { names: string[]; bytes: number }[] = []
  for (const { name, shape } of parameters) {
    const bytes = shape.reduce((product, extent) => product * extent, bytesPerValue)
    const last = groups.at(-1)
    if (last && last.bytes + bytes <= limit) {
      last.names.push(name)
      last.bytes += bytes
    } else groups.push({ names: [name], bytes })
  }
  if (groups.length === 1) return [{ file: 'model.safetensors', ...groups[0]! }]
  const digits = (value: number) => String(value).padStart(5, '0')
  return groups.map((group, index) => ({
    file: `model-${digits(index + 1)}-of-${digits(groups.length)}.safetensors`,
    ...group,
  }))
}

/** The content of model.safetensors.index.json, undefined where one file holds all. */
export function shardIndex(shards: readonly Shard[]) {
  if (shards.length === 1) return undefined
  return {
    metadata: { total_size: shards.reduce((total, { bytes }) => total + bytes, 0) },
    weight_map: Object.fromEntries(shards.flatMap(({ file, names }) => names.map((name) => [name, file]))),
  }
}
