/** A process that loads the policy of the folder it is given and prints the bytes that this took at most. */
import { readFileSync, writeFileSync } from 'node:fs'
import { loadAddon } from '../../src/native/load.ts'
import { Policy } from '../../src/policy/policy.ts'

const [folder] = process.argv.slice(2)

function status(field: string): number {
  return 1024 * Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))![1])
}

loadAddon()
writeFileSync('/proc/self/clear_refs', '5')
const before = status('VmRSS')
await Policy.load(folder!)
process.stdout.write(String(status('VmHWM') - before))
