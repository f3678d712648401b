import { join } from 'node:path'
import { download } from './download.ts'

/** A Python package that is wanted, and of which versions. */
export interface Requirement {
  name: string
  /** optional parts of it, as the `cublas` of `cuda-toolkit[cublas]` */
  extras: string[]
  accepts(version: string): boolean
}

export interface WheelSource {
  /** a package index in pip's simple layout */
  index: string
  /** where wheels, and parts of one, wait for the next try */
  parts: string
  onProgress: (done: number, total: number | undefined) => void
  /** before the second try, milliseconds */
  retryDelay: number
}

/** Fetches one wheel without pip: its address and SHA-256 from the index page. One that is there already is only checked. */
export async function wheelFromIndex(wanted: Requirement, source: WheelSource): Promise<string> {
  const page = `${source.index.replace(/\/$/, '')}/${wanted.name}/`
  const response = await fetch(page, { headers: { accept: 'text/html' } }).catch((error: Error) => {
    throw new Error(`${page}: ${error.cause instanceof Error ? error.cause.message : error.message}`)
  })
  if (!response.ok) throw new Error(`${page}: the server answered ${response.status} ${response.statusText}`)
  const { url, name, sha256 } = chooseWheel(await response.text(), page, wanted)
  const path = join(source.parts, name)
  await download({ url, path, sha256, retryDelay: source.retryDelay, onProgress: source.onProgress })
  return path
}

/** The newest accepted wheel for this machine, from an index page in pip's simple layout. */
export function chooseWheel(
  html: string,
  page: string,
  wanted: Requirement,
  arch: string = process.arch,
): { url: string; name: string; sha256: string } {
  const machine = { x64: 'x86_64', arm64: 'aarch64' }[arch] ?? arch
  const fits = new RegExp(`^(any|(many)?linux\\w*_${machine})$`)
  let best: { url: string; name: string; sha256: string; version: string } | undefined
  for (const [, href] of html.matchAll(/href="([^"]+)"/g)) {
    const url = new URL(href!.replaceAll('&amp;', '&'), page)
    const name = decodeURIComponent(url.pathname.split('/').at(-1)!)
    const sha256 = url.hash.match(/^#sha256=([0-9a-f]{64})$/)?.[1]
    const [distribution, version, , , platforms] = name.replace(/\.whl$/, '').split('-')
    if (!sha256 || !name.endsWith('.whl') || distribution !== wanted.name.replaceAll('-', '_')) continue
    if (!wanted.accepts(version!) || !platforms?.split('.').some((platform) => fits.test(platform))) continue
    if (best && compareVersions(version!, best.version) <= 0) continue
    url.hash = ''
    best = { url: url.href, name, sha256, version: version! }
  }
  if (!best) throw new Error(`${page} lists no fitting ${wanted.name} wheel with a checksum for linux ${machine}`)
  return best
}

/**
 * The packages that a wheel's METADATA asks for on Linux, of those that `names` matches: the plain ones and those of the extras.
 * Every marker but `extra` and `win32` is taken to hold.
 */
export function requirementsOf(metadata: string, names: RegExp, extras: string[] = []): Requirement[] {
  const lines = metadata.matchAll(/^Requires-Dist: ([\w.-]+)(?:\[([^\]]*)\])?\s*\(?([^;\n)]*)\)?\s*(?:;(.*))?$/gm)
  return [...lines].flatMap(([, name, ofName, specifiers, marker = '']) => {
    const extra = marker.match(/extra == ['"]([^'"]+)['"]/)?.[1]
    if (!names.test(name!) || (extra !== undefined && !extras.includes(extra))) return []
    const tests = specifiers!.split(',').map((text) => specifier(text.trim()))
    const accepts = (version: string) => tests.every((test) => test(version))
    return [{ name: name!, extras: ofName?.split(',') ?? [], accepts }]
  })
}

/** One of `==1.2`, `==1.2.*`, `>=1.2`, `<=1.2`, `>1.2`, `<1.2`; nothing accepts all. */
function specifier(text: string): (version: string) => boolean {
  if (text === '') return () => true
  const [, operator, wanted] = text.match(/^(==|>=|<=|>|<)\s*([\d.]+(?:\.\*)?)$/) ?? []
  if (!wanted) throw new Error(`cannot read the version specifier '${text}'`)
  if (wanted.endsWith('.*')) return (version) => `${version}.`.startsWith(wanted.slice(0, -1))
  const holds = { '==': [0], '>=': [0, 1], '<=': [0, -1], '>': [1], '<': [-1] }[operator!]!
  return (version) => holds.includes(Math.sign(compareVersions(version, wanted)))
}

/** By their numbers, missing ones being 0. */
function compareVersions(a: string, b: string): number {
  const [first, second] = [a, b].map((version) => version.split(/[.+]/).map((part) => Number.parseInt(part, 10) || 0))
  for (let i = 0; i < Math.max(first!.length, second!.length); i++) {
    const difference = (first![i] ?? 0) - (second![i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
