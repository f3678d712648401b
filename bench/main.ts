/**
 * The benchmark: `npm run bench -- [part...] [--json FILE]`. Prints one Markdown table a part; every comparison runs both
 * sides in one session on one machine, each in a process of its own.
 */

import { writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import { headRows } from './head.ts'
import { mathRows } from './math.ts'
import { markdown, type Row } from './row.ts'
import { verifierRows } from './verifiers.ts'

const parts: Record<string, (log: (line: string) => void) => Promise<Row[]>> = {
  head: headRows,
  math: mathRows,
  verifiers: verifierRows,
}

const { values, positionals } = parseArgs({ options: { json: { type: 'string' } }, allowPositionals: true })
for (const part of positionals) {
  if (!(part in parts)) {
    console.error(`unknown part '${part}'; there are: ${Object.keys(parts).join(', ')}`)
    process.exit(2)
  }
}

const machine = `${cpus().length} CPUs (${cpus()[0]?.model.trim() ?? 'unknown'}), ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Node ${process.versions.node}`
const rows: Row[] = []
for (const part of positionals.length > 0 ? positionals : Object.keys(parts)) {
  rows.push(...(await parts[part]!((line) => console.error(line))))
}
console.log(`${machine}\n\n${markdown(rows)}`)
if (values.json) writeFileSync(values.json, `${JSON.stringify({ machine, rows }, null, 2)}\n`)
