import { readFileSync } from 'node:fs'

/** The Python programs of a sandbox, each one text: nothing of the package has to be readable inside. */
const FOLDER = new URL('./harness/', import.meta.url)

const read = (name: string) => readFileSync(new URL(name, FOLDER), 'utf8')

function program(...parts: string[]): string {
  return [...parts.map(read), `PRELUDE = ${JSON.stringify(read('prelude.py'))}`, 'main()'].join('\n')
}

/** Runs an answer; see harness/answer.py. */
export function answerProgram(): string {
  return program('confine.py', 'wire.py', 'answer.py')
}

/** Runs the tests of functions; see harness/tests.py. */
export function testsProgram(): string {
  return program('wire.py', 'sharing.py', 'remote.py', 'tests.py')
}

/** Runs an answer and its tests in one process; see harness/shared.py. */
export function sharedProgram(): string {
  const names = { PRELUDE: read('prelude.py'), GUARD: read('guard.py'), CALLING: read('calling.py') }
  return `exec(${JSON.stringify(read('shared.py'))}, {**${JSON.stringify(names)}, '__builtins__': dict(vars(__builtins__))})`
}

/** What a program begins with that builds its own walls, as bubblewrap would; see harness/enter.py. */
export function enterProgram(reads: string[], links: Record<string, string>, filter: Buffer): string {
  const call = `enter(${JSON.stringify(reads)}, ${JSON.stringify(links)}, '${filter.toString('base64')}')`
  return [read('confine.py'), read('enter.py'), call].join('\n')
}

/** What Node runs for a JavaScript answer; see harness/answer.cjs. */
export function nodeProgram(): string {
  return read('answer.cjs')
}
