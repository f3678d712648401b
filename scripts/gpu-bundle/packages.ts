interface LockEntry {
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
  os?: string[]
  cpu?: string[]
}

/** A package-lock.json, version 2 or 3, as far as it is read here. */
export interface Lock {
  packages: Record<string, LockEntry>
}

/** The folders in node_modules of a project's dependencies and of these tools, with all that those need on this machine. */
export function packagesOf(lock: Lock, tools: readonly string[]): string[] {
  const found = new Set<string>()
  const visit = (name: string, from: string, optional: boolean) => {
    const folder = resolve(lock, name, from)
    if (folder === undefined) {
      if (optional) return
      throw new Error(`package-lock.json has no ${name} for ${from || 'the project'}; run npm install`)
    }
    const entry = lock.packages[folder]!
    if (found.has(folder) || !fits(entry.os, process.platform) || !fits(entry.cpu, process.arch)) return
    found.add(folder)
    for (const next of Object.keys(entry.dependencies ?? {})) visit(next, folder, false)
    for (const next of Object.keys(entry.optionalDependencies ?? {})) visit(next, folder, true)
  }
  for (const name of [...Object.keys(lock.packages['']?.dependencies ?? {}), ...tools]) visit(name, '', false)
  // a folder brings those inside it
  return [...found].filter((folder) => ![...found].some((other) => folder.startsWith(`${other}/node_modules/`))).sort()
}

/** As Node looks for it: in the package's own node_modules, then in those of the folders above it. */
function resolve(lock: Lock, name: string, from: string): string | undefined {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    const path = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`
    if (lock.packages[path]) return path
    if (folder === '') return undefined
  }
}

function fits(allowed: string[] | undefined, mine: string): boolean {
  return allowed === undefined || allowed.includes(mine)
}
