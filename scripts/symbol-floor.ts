import { spawnSync } from 'node:child_process'

/** The newest versions that a published binary may ask for: those of Debian 12 and Ubuntu 22.04; docs/install.md says so. */
export const SYMBOL_FLOOR: Readonly<Record<string, string>> = {
  GLIBC: '2.34',
  GLIBCXX: '3.4.30',
  CXXABI: '1.3.13',
  GCC: '12.0.0',
}

/** What a library asks for beyond {@link SYMBOL_FLOOR}, as `GLIBC_2.38`; undefined where there is no readelf. */
export function beyondFloor(library: string): string[] | undefined {
  const { status, stdout } = spawnSync('readelf', ['--wide', '--version-info', library], {
    encoding: 'utf8',
    maxBuffer: 1e9,
  })
  return status === 0 ? newerThanFloor(stdout) : undefined
}

/** Of readelf's --version-info, the versions beyond {@link SYMBOL_FLOOR}. */
export function newerThanFloor(versions: string): string[] {
  const found = [...versions.matchAll(/Name: (GLIBC|GLIBCXX|CXXABI|GCC)_([\d.]+)/g)]
  const newer = found.filter(([, name, version]) => compareVersions(version!, SYMBOL_FLOOR[name!]!) > 0)
  return [...new Set(newer.map(([, name, version]) => `${name}_${version}`))]
}

export function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}
