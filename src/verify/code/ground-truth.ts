import type { Language } from './extract-code.ts'
import { isLiveCodeBench, liveCodeBenchTests } from './live-code-bench.ts'
import { RowError } from './row-error.ts'

/** One run of the whole program, or one text for the tests' process. */
export type CodeTest =
  | { kind: 'program'; input: string; output: string }
  | { kind: 'call'; fn_name: string; input: unknown; output: unknown }
  | { kind: 'text'; source: string; prefix: string; entry_point?: string }

export interface GroundTruth {
  language: Language
  /** what runs before the answer, in both processes */
  prefix: string
  /** at least one */
  tests: CodeTest[]
}

/**
 * Reads what a row expects of its code:
 *
 * * `{ inputs, outputs }`: texts for standard input and output;
 * * `{ inputs, outputs, fn_name }`: an input is a list of arguments, or a text with one JSON value a line;
 * * `{ assert_case }`: Python texts with assertions;
 * * `{ import_prefix, test_code, entry_point }`: `test_code` defines `check(candidate)`;
 * * rows of LiveCodeBench, or their list of `{ input, output, testtype }`.
 *
 * `language` beside them says `javascript` or `typescript`; Python without it.
 *
 * @param answer an object or its JSON text
 * @throws RowError that says what is wrong with it; the caller names the row
 */
export function readGroundTruth(answer: unknown): GroundTruth {
  const truth = parsed(answer)
  const language = readLanguage(truth)
  if (isLiveCodeBench(truth)) return { language, prefix: '', tests: liveCodeBenchTests(truth).map(readTest) }
  const fields = truth as Record<string, unknown>
  if (fields.inputs !== undefined) return { language, prefix: '', tests: readPairs(fields) }
  if (fields.assert_case !== undefined) {
    const prefix = text(fields.import_prefix ?? '', 'import_prefix')
    const cases =
      typeof fields.assert_case === 'string' ? [fields.assert_case] : list(fields.assert_case, 'assert_case')
    const tests = cases.map(
      (source, i) => ({ kind: 'text', source: text(source, `assert_case[${i}]`), prefix }) as const,
    )
    return { language, prefix, tests }
  }
  if (fields.test_code !== undefined) {
    const prefix = text(fields.import_prefix ?? '', 'import_prefix')
    const source = text(fields.test_code, 'test_code')
    return {
      language,
      prefix,
      tests: [{ kind: 'text', source, prefix, entry_point: text(fields.entry_point, 'entry_point') }],
    }
  }
  throw new RowError(`has none of the fields ${KINDS}; its fields are ${Object.keys(fields).join(', ') || 'none'}`)
}

const KINDS = "'inputs' and 'outputs', 'assert_case', 'test_code' and 'entry_point', or those of a LiveCodeBench row"

function parsed(answer: unknown): object {
  let truth = answer
  if (typeof answer === 'string') {
    try {
      truth = JSON.parse(answer)
    } catch {
      throw new RowError(`is no JSON: ${JSON.stringify(answer.slice(0, 100))}; it must be an object with ${KINDS}`)
    }
  }
  if (truth === null || typeof truth !== 'object') {
    throw new RowError(`is ${(JSON.stringify(truth) ?? 'missing').slice(0, 100)}; it must be an object with ${KINDS}`)
  }
  return truth
}

function readLanguage(truth: object): Language {
  const { language = 'python' } = truth as { language?: unknown }
  if (language === 'python' || language === 'javascript' || language === 'typescript') return language
  throw new RowError(`'language' is ${JSON.stringify(language)}; it must be 'python', 'javascript' or 'typescript'`)
}

function readPairs({ inputs, outputs, fn_name }: Record<string, unknown>): CodeTest[] {
  const [given, expected] = [list(inputs, 'inputs'), list(outputs, 'outputs')]
  if (given.length !== expected.length) {
    throw new RowError(`has ${given.length} inputs, but ${expected.length} outputs`)
  }
  return given.map((input, i) => readTest({ input, output: expected[i], fn_name }, i))
}

/** One input and output; `fn_name` makes it a call. */
function readTest(
  { input, output, fn_name }: { input: unknown; output: unknown; fn_name?: unknown },
  i: number,
): CodeTest {
  if (fn_name === undefined || fn_name === null || fn_name === '') {
    return { kind: 'program', input: lines(input, `inputs[${i}]`), output: lines(output, `outputs[${i}]`) }
  }
  const name = text(fn_name, 'fn_name').replace(/^Solution\(?\)?\./, '')
  if (typeof input !== 'string' && !Array.isArray(input)) {
    throw new RowError(`'inputs[${i}]' must be a list of arguments or a text with one JSON value a line`)
  }
  refuseRounded([input, output], i)
  return { kind: 'call', fn_name: name, input, output }
}

/** JSON.parse has rounded a large integer before it came here: comparing with it would be wrong without a word. */
function refuseRounded(value: unknown, i: number): void {
  if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw new RowError(
      `test ${i + 1} holds ${value}, more than JSON numbers keep here: write inputs and outputs as JSON texts`,
    )
  }
  if (value !== null && typeof value === 'object') for (const entry of Object.values(value)) refuseRounded(entry, i)
}

function list(value: unknown, name: string): unknown[] {
  if (Array.isArray(value) && value.length > 0) return value
  throw new RowError(`'${name}' must be a list with at least one entry`)
}

function text(value: unknown, name: string): string {
  if (typeof value === 'string') return value
  throw new RowError(`'${name}' must be a text, not ${(JSON.stringify(value) ?? 'missing').slice(0, 100)}`)
}

/** A text, or its lines. */
function lines(value: unknown, name: string): string {
  if (Array.isArray(value) && value.every((line) => typeof line === 'string')) return value.join('\n')
  return text(value, name)
}
