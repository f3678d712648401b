import { spawn } from 'node:child_process'
import { existsSync, lstatSync, readlinkSync } from 'node:fs'
import { release } from 'node:os'
import { onPath } from '../../native/libtorch.ts'
import { CodeProcess } from './code-process.ts'
import type { Language } from './extract-code.ts'
import { enterProgram, nodeProgram } from './harness.ts'
import { type Interpreter, thisNode } from './interpreter.ts'
import { seccompFilter } from './seccomp.ts'

/** `bubblewrap` and `unshare` hold hostile code; `none` only limits what it uses up. */
export type Isolation = 'bubblewrap' | 'unshare' | 'none'

/** Nobody: no files, no rights. */
const NOBODY = 65534

/** Where the system's shared libraries lie. */
const LIBRARIES = ['/usr/lib', '/usr/lib64', '/usr/lib32', '/usr/local/lib', '/lib', '/lib64', '/lib32']
const DEVICES = ['/dev/null', '/dev/zero', '/dev/random', '/dev/urandom']

const ENVIRONMENT = {
  PATH: '/usr/bin:/bin',
  LANG: 'C.UTF-8',
  HOME: '/',
  PYTHONHASHSEED: '0',
  OPENBLAS_NUM_THREADS: '1',
}

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
    if (this.isolation === 'bubblewrap') return this.#bubblewrap(source, maxFrame)
    const { links, files } = this.#view()
    const filter = () => seccompFilter({ processes: true })
    const text = this.isolation === 'none' ? source : `${enterProgram(files, links, filter())}\n${source}`
    const [command, ...rest] = this.#python(text)
    const options = { ...asNobody(), cwd: '/', env: ENVIRONMENT, detached: true }
    return new CodeProcess(spawn(command!, rest, { ...options, stdio: 'pipe' }), maxFrame, true)
  }

  /** What runs an answer of this language instead of Python itself; null for Python. */
  commandFor(language: Language, memory: number): string[] | null {
    if (language === 'python') return null
    const heap = Math.floor((0.75 * memory) / 2 ** 20)
    return [this.#node.path, `--max-old-space-size=${heap}`, '--stack-size=15000', '-e', nodeProgram(), '--']
  }

  #python(source: string): string[] {
    return [this.python.path, '-I', '-S', '-B', '-c', source]
  }

  #bubblewrap(source: string, maxFrame: number): CodeProcess {
    const { links, files } = this.#view()
    const command = [
      ...['--unshare-user', '--unshare-ipc', '--unshare-pid', '--unshare-net', '--unshare-uts', '--unshare-cgroup-try'],
      ...['--uid', String(NOBODY), '--gid', String(NOBODY), '--hostname', 'sandbox'],
      ...['--die-with-parent', '--new-session', '--cap-drop', 'ALL', '--clearenv', '--seccomp', '3'],
      ...Object.entries(ENVIRONMENT).flatMap(([name, value]) => ['--setenv', name, value]),
      ...Object.entries(links).flatMap(([path, target]) => ['--symlink', target, path]),
      ...files.flatMap((path) => [path.startsWith('/dev/') ? '--dev-bind' : '--ro-bind', path, path]),
      ...['--chdir', '/', '--remount-ro', '/', '--', ...this.#python(source)],
    ]
    const bwrap = onPath('bwrap', process.env)
    if (!bwrap) throw new Error('bwrap is not on PATH')
    const child = spawn(bwrap, command, {
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

  /** All that is there of the machine's files: the interpreters, shared libraries, four devices. */
  #view(): { links: Record<string, string>; files: string[] } {
    const libraries = LIBRARIES.filter((path) => existsSync(path))
    const links = libraries.filter((path) => lstatSync(path).isSymbolicLink())
    const folders = libraries.filter((path) => !links.includes(path))
    const beyond = [this.python.path, ...this.python.reads, this.#node.path].filter(
      (path) => !folders.some((folder) => path.startsWith(`${folder}/`)),
    )
    return {
      links: Object.fromEntries(links.map((path) => [path, readlinkSync(path)])),
      files: [...folders, ...new Set(beyond), ...DEVICES],
    }
  }
}

/** Root gives up its rights before anything of the sandbox runs. */
function asNobody(): { uid?: number; gid?: number } {
  return process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}
}
