import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { availableParallelism, cpus, freemem, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { NativeVersions } from '../native/contract.ts'
import {
  damagedCache,
  type Environment,
  hasNvidiaDriver,
  LIBTORCH_VERSION,
  type Libtorch,
  locateLibtorch,
  onPath,
} from '../native/libtorch.ts'
import { libtorchSolutions } from '../native/libtorch-help.ts'
import { chooseLibtorch, findAddon, loadAddon, withoutCuda } from '../native/load.ts'
import { bestSandbox } from '../verify/code/choose-sandbox.ts'

/** `missing` stops training; `absent` only takes something optional away. */
export type FindingState = 'found' | 'absent' | 'missing'

/** One thing that was looked for. */
export interface Finding {
  name: string
  state: FindingState
  /** what was found, one line */
  detail: string
  /** what to do about it, where it is not found */
  remedy?: string
}

export interface DoctorReport {
  /** nothing that training needs is missing */
  ok: boolean
  /** for a terminal, in color unless NO_COLOR is set or the output is none */
  text: string
}

/** Looks at everything that magic-grpo uses on this machine and says what to do about each thing missing. */
export async function doctor(env: Environment = process.env): Promise<DoctorReport> {
  const findings = await examine(env)
  return {
    ok: findings.every((finding) => finding.state !== 'missing'),
    text: render(findings, !env.NO_COLOR && (process.stdout.isTTY || (env.FORCE_COLOR ?? '0') !== '0')),
  }
}

/** The findings that {@link doctor} prints. */
export async function examine(env: Environment = process.env): Promise<Finding[]> {
  const libtorch = libtorchFinding(env)
  const addon = addonFinding(env)
  const [processor, cuda, python, sandbox, tools] = await Promise.all([
    processorFinding(),
    cudaFinding(env, addon),
    pythonFinding(env),
    sandboxFinding(),
    Promise.all([...TOOLS].map((tool) => toolFinding(tool, env))),
  ])
  return [
    nodeFinding(process.versions.node),
    libtorch,
    addon.finding,
    processor,
    memoryFinding(),
    cuda,
    python,
    sandbox,
    ...tools,
  ]
}

/** Node 20.19 or later. */
export function nodeFinding(version: string): Finding {
  const [major, minor] = version.split('.').map(Number)
  const enough = major! > 20 || (major === 20 && minor! >= 19)
  const finding: Finding = { name: 'Node', state: enough ? 'found' : 'missing', detail: version }
  return enough
    ? finding
    : { ...finding, remedy: 'Node 20.19 or later is needed: install it with your version manager.' }
}

/** The libtorch that the addon runs on, else the one that a build would take. */
export function libtorchFinding(env: Environment): Finding {
  const name = 'libtorch'
  try {
    let found: Libtorch | undefined
    try {
      found = chooseLibtorch(findAddon(), env)
    } catch (error) {
      if ((error as { code?: string }).code !== 'ADDON_MISSING') throw error
      found = locateLibtorch(env)
    }
    if (found) {
      const how = found.foundBy === 'build' ? 'the addon was built against it' : `found by ${found.foundBy}`
      return { name, state: 'found', detail: `${found.version} at ${found.root} (${how})` }
    }
    const damage = damagedCache(env)
    const detail = damage ? `damaged in the cache folder: ${damage}` : `no ${LIBTORCH_VERSION} on this machine`
    return { name, state: 'missing', detail, remedy: libtorchSolutions(env) }
  } catch (error) {
    const [detail, ...remedy] = (error as Error).message.split('\n')
    return { name, state: 'missing', detail: detail!, remedy: remedy.join('\n') || 'Correct or unset that variable.' }
  }
}

/** The addon that is loaded, where it can be. */
interface Loaded {
  path?: string
  versions?: NativeVersions
}

function addonFinding(env: Environment): Loaded & { finding: Finding } {
  const name = 'native addon'
  try {
    const { path } = findAddon()
    chooseLibtorch(findAddon(), env)
    const versions = loadAddon().versions()
    const detail = `${path}, built against libtorch ${versions.builtAgainst}, runs on ${versions.libtorch}, ${versions.threads} threads, kernels ${versions.cpuCapability}`
    return { finding: { name, state: 'found', detail }, path, versions }
  } catch (error) {
    const [detail, ...remedy] = (error as Error).message.split('\n')
    return {
      finding: {
        name,
        state: 'missing',
        detail: detail!,
        remedy: remedy.join('\n') || 'npm run build:all compiles it.',
      },
    }
  }
}

async function processorFinding(): Promise<Finding> {
  const text = await readFile('/proc/cpuinfo', 'utf8').catch(() => '')
  const detail = `${cpus()[0]?.model.trim() ?? process.arch}, ${availableParallelism()} threads, ${cpuFeatures(text).join(', ') || 'no vector extensions known'}`
  return { name: 'CPU', state: 'found', detail }
}

/** Of /proc/cpuinfo's flags, those that decide how fast libtorch computes. */
export function cpuFeatures(cpuinfo: string): string[] {
  const flags = new Set(cpuinfo.match(/^(?:flags|Features)\s*:\s*(.*)$/m)?.[1]?.split(/\s+/) ?? [])
  const named = {
    avx2: 'AVX2',
    avx512f: 'AVX-512',
    avx512_bf16: 'AVX-512 bf16',
    amx_bf16: 'AMX bf16',
    asimd: 'NEON',
    bf16: 'bf16',
  }
  return Object.entries(named).flatMap(([flag, name]) => (flags.has(flag) ? [name] : []))
}

function memoryFinding(): Finding {
  const gib = (bytes: number) => (bytes / 2 ** 30).toFixed(1)
  const limit = process.constrainedMemory()
  const total = limit > 0 && limit < totalmem() ? limit : totalmem()
  return {
    name: 'memory',
    state: 'found',
    detail: `${gib(total)} GiB, ${gib(Math.min(freemem(), total))} GiB of it free`,
  }
}

/** The devices that the driver lists, and whether libtorch and the addon can use them. */
export async function cudaFinding(env: Environment, { path, versions }: Loaded): Promise<Finding> {
  const name = 'CUDA'
  const query = ['--query-gpu=name,driver_version,memory.total', '--format=csv,noheader']
  const devices = await outputOf('nvidia-smi', query, env)
  if (devices === undefined && !versions?.cudaAvailable && !hasNvidiaDriver())
    return { name, state: 'absent', detail: 'no NVIDIA driver; everything runs on the CPU' }
  // a container may have a driver without its tools
  const list = devices?.split('\n').join('; ') ?? 'an NVIDIA driver without a working nvidia-smi'
  if (path && versions?.cudaAvailable) {
    const kernels = join(dirname(path), 'magic_grpo_cuda.so')
    return existsSync(kernels)
      ? { name, state: 'found', detail: `${versions.cudaDeviceCount} usable: ${list}` }
      : {
          ...{ name, state: 'absent', detail: `${list}, but the CUDA kernels are missing: no ${kernels}` },
          remedy: 'The package brings them; a build from source makes them where nvcc is on PATH.',
        }
  }
  return {
    name,
    state: 'absent',
    detail: `${list}, but ${withoutCuda() ?? 'this libtorch is for the CPU'}`,
    remedy: 'npx magic-grpo libtorch install --cuda fetches one for CUDA.',
  }
}

async function pythonFinding(env: Environment): Promise<Finding> {
  const version = await outputOf('python3', ['--version'], env)
  if (version)
    return {
      name: 'Python',
      state: 'found',
      detail: `${version.replace('Python ', '')} (optional: it runs code answers; pip and tests use it)`,
    }
  return {
    name: 'Python',
    state: 'absent',
    detail: 'not on PATH (optional: it runs code answers; pip and tests use it)',
  }
}

/** Which sandbox the code verifier would use, tried out. */
export async function sandboxFinding(choice = bestSandbox()): Promise<Finding> {
  const name = 'code sandbox'
  const { sandbox, failures } = await choice
  if (!sandbox) {
    const remedy = [
      ...failures,
      'On Debian or Ubuntu: apt-get install bubblewrap python3. Without one, code rewards are refused unless code.unsafe: true.',
    ]
    return { name, state: 'absent', detail: 'none works (only code rewards need it)', remedy: remedy.join('\n') }
  }
  const { isolation, python } = sandbox
  const walls = 'no network, no files, a seccomp filter, an unprivileged user'
  const detail = `${isolation} with ${python.path} (${python.version}): ${walls}`
  return isolation === 'bubblewrap'
    ? { name, state: 'found', detail }
    : { name, state: 'found', detail, remedy: `In place of bubblewrap: ${failures[0]}` }
}

interface Tool {
  names: string[]
  purpose: string
  package: string
}

const TOOLS: Tool[] = [
  { names: ['bwrap'], purpose: 'the sandbox of code rewards', package: 'bubblewrap' },
  { names: ['g++', 'clang++', 'c++'], purpose: 'building the addon', package: 'g++' },
  { names: ['cmake'], purpose: 'building the addon', package: 'cmake' },
  { names: ['ninja', 'make'], purpose: 'building the addon', package: 'ninja-build' },
]

async function toolFinding(tool: Tool, env: Environment): Promise<Finding> {
  const name = tool.names[0]!
  for (const command of tool.names) {
    const path = onPath(command, env)
    if (!path) continue
    const version = (await outputOf(command, ['--version'], env))?.split('\n')[0]
    return { name, state: 'found', detail: `${path}${version ? ` (${version})` : ''}` }
  }
  return {
    name,
    state: 'absent',
    detail: `not on PATH (${tool.purpose})`,
    remedy: `On Debian or Ubuntu: apt-get install ${tool.package}`,
  }
}

async function outputOf(name: string, args: string[], env: Environment): Promise<string | undefined> {
  const command = onPath(name, env)
  if (!command) return undefined
  try {
    const { stdout, stderr } = await promisify(execFile)(command, args, { env, timeout: 10_000 })
    return (stdout || stderr).trim()
  } catch {
    return undefined
  }
}

/** One line a finding, its remedy below it. */
export function render(findings: Finding[], color: boolean): string {
  const paint = (code: number, text: string) => (color ? `\x1b[${code}m${text}\x1b[0m` : text)
  const marks = { found: paint(32, 'ok     '), absent: paint(33, 'absent '), missing: paint(31, 'MISSING') }
  const width = Math.max(...findings.map((finding) => finding.name.length))
  const lines = findings.flatMap(({ name, state, detail, remedy }) => [
    `${marks[state]}  ${name.padEnd(width)}  ${detail}`,
    ...(remedy ?? '').split('\n').flatMap((line) => (line ? [`${' '.repeat(width + 11)}${line}`] : [])),
  ])
  const bad = findings.filter((finding) => finding.state === 'missing').map((finding) => finding.name)
  const verdict = bad.length === 0 ? paint(32, 'Ready to train.') : paint(31, `Not ready: ${bad.join(', ')}.`)
  return `${lines.join('\n')}\n\n${verdict}\n`
}
