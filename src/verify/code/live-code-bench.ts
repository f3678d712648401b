import { inflateSync } from 'node:zlib'
import { RowError } from './row-error.ts'

interface TestCase {
  input: unknown
  output: unknown
  fn_name?: unknown
}

/** A row of LiveCodeBench, what its loader makes of one (`input_output`), or a bare list of test cases. */
export function isLiveCodeBench(truth: object): boolean {
  return (
    Array.isArray(truth) || 'input_output' in truth || 'public_test_cases' in truth || 'private_test_cases' in truth
  )
}

/** @throws RowError that says what is wrong */
export function liveCodeBenchTests(truth: object): TestCase[] {
  const row = truth as Record<string, unknown>
  if ('input_output' in row) {
    const { inputs, outputs, fn_name } = json(row.input_output, 'input_output') as Record<string, unknown[]>
    if (!Array.isArray(inputs) || inputs.length === 0 || inputs.length !== outputs?.length) {
      throw new RowError("'input_output' must have lists 'inputs' and 'outputs' of the same length")
    }
    return inputs.map((input, i) => ({ input, output: outputs[i], fn_name }))
  }
  const cases = Array.isArray(row)
    ? row
    : [
        ...testCases(row.public_test_cases, 'public_test_cases'),
        ...testCases(row.private_test_cases, 'private_test_cases'),
      ]
  if (cases.length === 0) throw new RowError('has no test case')
  const metadata = row.metadata === undefined ? {} : (json(row.metadata, 'metadata') as { func_name?: unknown })
  return cases.map((entry, i) => {
    const { input, output, testtype, metadata: own } = (entry ?? {}) as Record<string, unknown>
    const name = (own as { func_name?: unknown } | null | undefined)?.func_name ?? metadata.func_name
    if (testtype !== 'stdin' && testtype !== 'functional') {
      throw new RowError(
        `test case ${i + 1} has testtype ${JSON.stringify(testtype)}; it must be 'stdin' or 'functional'`,
      )
    }
    if (testtype === 'functional' && typeof name !== 'string') {
      throw new RowError(`test case ${i + 1} is functional, but the metadata has no 'func_name'`)
    }
    return { input, output, ...(testtype === 'functional' ? { fn_name: name } : {}) }
  })
}

function testCases(value: unknown, name: string): unknown[] {
  if (value === undefined || value === null || value === '') return []
  const cases =
    typeof value === 'string' && !value.trimStart().startsWith('[') ? packed(value, name) : json(value, name)
  if (!Array.isArray(cases)) throw new RowError(`'${name}' must be a list`)
  return cases
}

function json(value: unknown, name: string): unknown {
  if (typeof value !== 'string') return value
  try {
    return JSON.parse(value)
  } catch {
    throw new RowError(`'${name}' is no JSON`)
  }
}

/** Private cases are JSON in a Python pickle, deflated, in base64. Of pickle only a single text is read. */
function packed(value: string, name: string): unknown {
  try {
    const bytes = inflateSync(Buffer.from(value, 'base64'), { maxOutputLength: 2 ** 29 })
    let at = bytes[0] === 0x80 ? 2 : 0
    if (bytes[at] === 0x95) at += 9
    const [opcode, start] = [bytes[at], at + 1]
    if (opcode === 0x8c) return JSON.parse(bytes.toString('utf8', start + 1, start + 1 + bytes[start]!))
    if (opcode === 0x58) return JSON.parse(bytes.toString('utf8', start + 4, start + 4 + bytes.readUInt32LE(start)))
    if (opcode === 0x8d) {
      return JSON.parse(bytes.toString('utf8', start + 8, start + 8 + Number(bytes.readBigUInt64LE(start))))
    }
  } catch {
    // the same error as for a pickle of anything else
  }
  throw new RowError(`'${name}' is neither JSON nor LiveCodeBench's packed form of it`)
}
