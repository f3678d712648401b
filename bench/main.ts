/**
 * The benchmark: `npm run bench -- [PART[/CASE]...] [--json FILE]`. Every comparison runs both sides in one session on one
 * machine, each in a process of its own and in turns. Prints one Markdown table a part.
 */

import { writeFileSync } from 'node:fs'
import { type Arguments, parseArguments, UsageError } from './arguments.ts'
import { parts } from './parts/all.ts'
import { markdown } from './row.ts'
import { runCases } from './run.ts'
import { describeRun } from './run-facts.ts'

const usage = `npm run bench -- [PART[/CASE]...] [--json FILE] [--model DIR] [--python FILE] [--full]

  PART           a part, or one case of it as part/case; default all:
${parts.map(({ name, about, cases }) => `                 ${name} (${Object.keys(cases).join(', ')}): ${about}`).join('\n')}
  --json FILE    also writes the rows as JSON
  --model DIR    Hugging Face folder of SmolLM2-135M-Instruct; default MODEL, else random weights of its shape
  --python FILE  interpreter with torch, transformers and trl; default BENCH_PYTHON, else one in the cache folder, made once
  --full         also what takes half an hour`

let options: Arguments
try {
  options = parseArguments(
    process.argv.slice(2),
    Object.fromEntries(parts.map((part) => [part.name, Object.keys(part.cases)])),
  )
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  console.error(error.message)
  process.exit(2)
}
if (options.help) {
  console.log(usage)
  process.exit(0)
}

const { rows, leftOut, failed, seconds, peers } = await runCases(parts, options)
const facts = await describeRun(peers)
console.log(`${facts.line}\n\n${markdown(rows)}`)
for (const { name, reason } of leftOut) console.log(`left out: ${name}: ${reason}`)
for (const { name, reason } of failed) console.log(`failed: ${name}: ${reason}`)
console.log(`${rows.length} rows in ${seconds.toFixed(0)} s`)
if (options.json) {
  const complete = rows.map((row) => ({ ...row, settings: { ...row.settings, ...facts.settings } }))
  writeFileSync(options.json, `${JSON.stringify(complete, null, 2)}\n`)
}
if (failed.length > 0) process.exitCode = 1
