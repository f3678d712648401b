/**
 * A process that loads the policy of a folder and then its optimizer from a file, and prints the bytes that it had taken
 * at most after each, as JSON.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { loadAddon } from '../../src/native/load.ts'
import { Policy } from '../../src/policy/policy.ts'

const [folder, optimizer] = process.argv.slice(2)

function status(field: string): number {
  return 1024 * Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))![1])
}

loadAddon()
writeFileSync('/proc/self/clear_refs', '5')
const before = status('VmRSS')
const policy = await Policy.load(folder!)
const loaded = status('VmHWM') - before
await policy.loadOptimizer(optimizer!)
process.stdout.write(JSON.stringify([loaded, status('VmHWM') - before]))
