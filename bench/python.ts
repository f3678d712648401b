import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cacheFolder, LIBTORCH_VERSION } from '../src/native/libtorch.ts'
import { PYTORCH_CPU_INDEX } from '../src/native/libtorch-fetch.ts'
import { withLock } from '../src/native/lock.ts'
import { LeftOut } from './part.ts'

const run = promisify(execFile)

/** What the peers are: the same libtorch as ours, and the releases that the figures are about. */
const requirements = [`torch==${LIBTORCH_VERSION}+cpu`, 'transformers==5.17.0', 'trl==1.13.0']

const probe = `
import json, sys, torch, transformers, trl
print(json.dumps({"torch": torch.__version__, "transformers": transformers.__version__, "trl": trl.__version__, "python": sys.version.split()[0]}))`

const cudaProbe = `
import json, sys, torch, transformers
print(json.dumps({"torch": torch.__version__, "transformers": transformers.__version__, "cuda": torch.version.cuda if torch.cuda.is_available() else "none", "python": sys.version.split()[0]}))`

export interface Peers {
  /** path of the interpreter */
  python: string
  versions: Record<string, string>
}

/**
 * The Python of the peers: the one that was given, else an environment in the cache folder that is made with the
 * requirements when it is not there.
 *
 * @throws LeftOut where there is none; a given one that lacks a package is an Error
 */
export async function findPeers(
  given: string | undefined,
  log: (line: string) => void,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Peers> {
  if (given) return { python: given, versions: await versionsOf(given, probe, env) }
  const folder = join(cacheFolder(env), `bench-${requirements.map((each) => each.replace('==', '-')).join('-')}`)
  const python = join(folder, 'bin', 'python')
  const found = await inspect(python, probe, env)
  if (found.versions) return { python, versions: found.versions }
  await mkdir(cacheFolder(env), { recursive: true })
  return withLock(
    `${folder}.lock`,
    async () => {
      log(`making a Python environment with ${requirements.join(', ')} in ${folder}; once, takes minutes`)
      await make(folder, python, env)
      const { versions, reason } = await inspect(python, probe, env)
      if (!versions) throw new LeftOut(`the Python environment in ${folder} does not work: ${reason}`)
      return { python, versions }
    },
    () => log('another process is making the Python environment; waiting for it'),
  )
}

/**
 * The Python of the peers on a GPU: the one that was given, as it has to have a CUDA build of torch. It does without TRL.
 *
 * @throws LeftOut where none is given, or its torch sees no device; one that lacks a package is an Error
 */
export async function findCudaPeers(given: string | undefined, env: NodeJS.ProcessEnv = process.env): Promise<Peers> {
  if (!given) throw new LeftOut('no Python with a CUDA build of torch: give one by --python or BENCH_PYTHON')
  const versions = await versionsOf(given, cudaProbe, env)
  if (versions.cuda === 'none') throw new LeftOut(`the torch ${versions.torch} of ${given} sees no CUDA device`)
  return { python: given, versions }
}

async function versionsOf(given: string, probe: string, env: NodeJS.ProcessEnv): Promise<Record<string, string>> {
  const { versions, reason } = await inspect(given, probe, env)
  if (!versions) throw new Error(`the Python for the peers, ${given}, lacks something: ${reason}`)
  return versions
}

async function make(folder: string, python: string, env: NodeJS.ProcessEnv): Promise<void> {
  const pip = ['-m', 'pip', 'install', '--quiet', '--no-input', '--disable-pip-version-check', '--retries', '1']
  try {
    await run('python3', ['-m', 'venv', folder], { env })
    await run(python, [...pip, '--extra-index-url', PYTORCH_CPU_INDEX, ...requirements], { env, maxBuffer: 2 ** 24 })
  } catch (error) {
    throw new LeftOut(`no Python environment for the peers: ${lastLine(error)}; give one by --python or BENCH_PYTHON`)
  }
}

async function inspect(
  python: string,
  probe: string,
  env: NodeJS.ProcessEnv,
): Promise<{ versions?: Record<string, string>; reason: string }> {
  try {
    const { stdout } = await run(python, ['-W', 'ignore', '-c', probe], { env })
    return { versions: JSON.parse(stdout.trim().split('\n').at(-1)!), reason: '' }
  } catch (error) {
    return { reason: lastLine(error) }
  }
}

function lastLine(error: unknown): string {
  const { stderr, message } = error as Error & { stderr?: string }
  return (stderr || message).trim().split('\n').at(-1)!
}
