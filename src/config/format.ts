import { Document, stringify, visit } from 'yaml'

/** A resolved config as YAML, for the run folder. */
export function formatConfig(config: object): string {
  return stringify(config, { lineWidth: 0 })
}

/** A line longer than this does not push the comments of the others to the right. */
const widestColumn = 60

/** A resolved config as YAML with a comment at each value: where it came from. It reads back as the same config. */
export function formatAnnotated(config: object, originOf: (path: readonly PropertyKey[]) => string): string {
  // Tells where a comment starts from a value with a # of its own.
  let mark = '\u0001'
  while (formatConfig(config).includes(mark)) mark += '\u0001'
  const document = new Document(config)
  visit(document, {
    Scalar(key, node, ancestors) {
      if (key !== 'key') node.comment = mark + originOf(pathTo(node, ancestors)).replaceAll(/\s+/g, ' ')
    },
  })
  const lines = document.toString({ lineWidth: 0 }).split('\n')
  const widths = lines.filter((line) => line.includes(mark)).map((line) => line.indexOf(` #${mark}`))
  const column = Math.max(0, ...widths.filter((width) => width <= widestColumn))
  return lines
    .map((line) => {
      const at = line.indexOf(` #${mark}`)
      return at < 0 ? line : `${line.slice(0, at).padEnd(column)} # ${line.slice(at + 2 + mark.length)}`
    })
    .join('\n')
}

/** Keys and indices from the root to a node, read off its ancestors: maps, pairs and lists. */
function pathTo(node: unknown, ancestors: readonly unknown[]): PropertyKey[] {
  const chain = [...ancestors, node]
  return chain.flatMap((above, depth): PropertyKey[] => {
    const { key, items } = above as { key?: { value: unknown }; items?: unknown[] }
    if (key !== undefined) return [String(key.value)]
    const index = items?.indexOf(chain[depth + 1]) ?? -1
    const isPair = (chain[depth + 1] as { key?: unknown } | undefined)?.key !== undefined
    return index >= 0 && !isPair ? [index] : []
  })
}
