import { spawn } from 'node:child_process'
import { existsSync, lstatSync, readlinkSync } from 'node:fs'
import { release } from 'node:os'
import { onPath } from '../../native/libtorch.ts'
import { CodeProcess } from './code-process.ts'
import type { Language } from './extract-code.ts'
import { nodeProgram } from './harness.ts'
import { type Interpreter, thisNode } from './interpreter.ts'
import { seccompFilter } from './seccomp.ts'

/** `bubblewrap` and `unshare` hold hostile code; `none` only limits what it uses up. */
export type Isolation = 'bubblewrap' | 'unshare' | 'none'

/** Nobody: no files, no rights. */
const NOBODY = 65534

/** Where the system's shared libraries lie. */
const LIBRARIES = ['/usr/lib', '/usr/lib64', '/usr/lib32', '/usr/local/lib', '/lib', '/lib64', '/lib32']
const DEVICES = ['/dev/null', '/dev/zero', '/dev/random', '/dev/urandom']

/** Starts programs where they can do no harm. */
export class Sandbox {
  readonly isolation: Isolation
  readonly python: Interpreter
  readonly #node: Interpreter = thisNode()

  constructor(isolation: Isolation, python: Interpreter) {
    this.isolation = isolation
    this.python = python
  }

  /** Whether a limit on processes counts those of one sandbox alone. */
  get countsProcesses(): boolean {
    const [major, minor] = release().split('.').map(Number)
    return this.isolation !== 'none' && (major! > 5 || (major === 5 && minor! >= 14))
  }

  /**
   * Runs a Python program that talks in frames on its standard input and output.
   *
   * @param source the program's text; it needs no file inside
   * @param maxFrame bytes of a frame from it, else it is killed
   */
  start(source: string, maxFrame: number): CodeProcess {
    const command = [this.python.path, '-I', '-S', '-B', '-c', source]
    const environment = {
      PATH: '/usr/bin:/bin',
      LANG: 'C.UTF-8',
      HOME: '/',
      PYTHONHASHSEED: '0',
      OPENBLAS_NUM_THREADS: '1',
    }
    if (this.isolation === 'none') {
      const child = spawn(command[0]!, command.slice(1), {
        ...asNobody(),
        cwd: '/',
        env: environment,
        stdio: 'pipe',
        detached: true,
      })
      return new CodeProcess(child, maxFrame, true)
    }
    const child = spawn(onPath('bwrap', process.env) ?? 'bwrap', [...this.#arguments(environment), '--', ...command], {
      ...asNobody(),
      cwd: '/',
      env: {},
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    })
    const filter = child.stdio[3] as NodeJS.WritableStream
    filter.on('error', () => {}) // it ended before it had read all: the exit says so
    filter.end(seccompFilter({ processes: true }))
    return new CodeProcess(child, maxFrame, false)
  }

  /** What runs an answer of this language instead of Python itself; null for Python. */
  commandFor(language: Language, memory: number): string[] | null {
    if (language === 'python') return null
    const heap = Math.floor((0.75 * memory) / 2 ** 20)
    return [this.#node.path, `--max-old-space-size=${heap}`, '--stack-size=15000', '-e', nodeProgram(), '--']
  }

  #arguments(environment: Record<string, string>): string[] {
    const { python } = this
    const reads = [python.path, ...python.reads, this.#node.path]
    const beyond = reads.filter((path) => !LIBRARIES.some((folder) => path.startsWith(`${folder}/`)))
    return [
      ...['--unshare-user', '--unshare-ipc', '--unshare-pid', '--unshare-net', '--unshare-uts', '--unshare-cgroup-try'],
      ...['--uid', String(NOBODY), '--gid', String(NOBODY), '--hostname', 'sandbox'],
      ...['--die-with-parent', '--new-session', '--cap-drop', 'ALL', '--clearenv', '--seccomp', '3'],
      ...Object.entries(environment).flatMap(([name, value]) => ['--setenv', name, value]),
      ...LIBRARIES.flatMap(readable),
      ...beyond.flatMap(readable),
      ...DEVICES.flatMap((device) => ['--dev-bind', device, device]),
      ...['--chdir', '/', '--remount-ro', '/'],
    ]
  }
}

function readable(path: string): string[] {
  if (!existsSync(path)) return []
  return lstatSync(path).isSymbolicLink() ? ['--symlink', readlinkSync(path), path] : ['--ro-bind', path, path]
}

/** Root gives up its rights before anything of the sandbox runs. */
export function asNobody(): { uid?: number; gid?: number } {
  return process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}
}
