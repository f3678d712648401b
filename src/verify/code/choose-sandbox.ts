import { ProcessEnded } from './code-process.ts'
import { findPythons } from './interpreter.ts'
import { type Isolation, Sandbox } from './sandbox.ts'

/** What a program finds in the sandbox, in one frame on standard output. */
const PROBE = `
import json, os, socket
found = {'uid': os.getuid(), 'pid': os.getpid(), 'network': True}
try: socket.socket(socket.AF_INET)
except PermissionError: found['network'] = False
found['files'] = os.path.exists('/etc')
text = json.dumps(found).encode()
os.write(1, b'%d\\n' % len(text) + text)
`

export interface Choice {
  sandbox?: Sandbox
  /** why each better way does not work, one line each */
  failures: string[]
}

let choice: Promise<Choice> | undefined

/** The best sandbox that works on this machine, tried out once a process. */
export function bestSandbox(): Promise<Choice> {
  choice ??= choose()
  return choice
}

/**
 * A sandbox for answers, or none of its protection where the config takes that risk.
 *
 * @throws Error that says why there is none, and what to do
 */
export async function requireSandbox(unsafe: boolean): Promise<Sandbox> {
  const { sandbox, failures } = await bestSandbox()
  if (sandbox) return sandbox
  const [python] = await findPythons()
  if (!python) throw new Error('verifier code: no Python 3.9 or later on PATH; answers run by python3')
  const why = failures.map((failure) => `\n  ${failure}`).join('')
  if (!unsafe) {
    throw new Error(
      `verifier code: no sandbox works on this machine, and answers are hostile programs:${why}\n` +
        "  Install bubblewrap (apt-get install bubblewrap), or set 'code.unsafe: true' where nothing on the machine matters.",
    )
  }
  console.warn(
    `\n!!! verifier code: 'code.unsafe: true': programs that a model writes run on this machine WITHOUT A SANDBOX, as ${process.getuid?.() === 0 ? 'nobody' : 'you'}, with your network and files.${why}\n`,
  )
  return new Sandbox('none', python)
}

async function choose(): Promise<Choice> {
  const failures: string[] = []
  const pythons = await findPythons()
  if (pythons.length === 0) return { failures: ['no Python 3.9 or later on PATH'] }
  for (const isolation of ['bubblewrap', 'unshare'] as const) {
    for (const python of pythons) {
      const sandbox = new Sandbox(isolation, python)
      const failure = await probe(sandbox, isolation)
      if (failure === null) return { sandbox, failures }
      failures.push(`${isolation} with ${python.path}: ${failure}`)
    }
  }
  return { failures }
}

async function probe(sandbox: Sandbox, isolation: Isolation): Promise<string | null> {
  let process: ReturnType<Sandbox['start']> | undefined
  try {
    process = sandbox.start(PROBE, 1000)
    const timer = setTimeout(() => process!.kill(new Error('no sign of life after 60 s')), 60_000)
    const found = JSON.parse((await process.receive().finally(() => clearTimeout(timer))).toString())
    if (found.files) return 'files of the machine are visible inside'
    if (found.network) return 'sockets work inside'
    if (isolation !== 'none' && found.pid > 10) return 'processes of the machine are visible inside'
    return null
  } catch (error) {
    return error instanceof ProcessEnded ? error.errors || error.message : (error as Error).message
  } finally {
    process?.kill(new Error('probed'))
  }
}
