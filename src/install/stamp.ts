import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

/** Every file of these files and folders, sorted. */
export function filesOf(root: string, paths: string[]): string[] {
  const files: string[] = []
  const visit = (path: string) => {
    const entry = statSync(path, { throwIfNoEntry: false })
    if (entry?.isDirectory()) for (const name of readdirSync(path)) visit(join(path, name))
    else if (entry) files.push(path)
  }
  for (const path of paths) visit(join(root, path))
  return files.sort()
}

/** A digest of names, contents and settings: equal exactly when a build would be the same. */
export function digest(root: string, files: string[], settings: unknown): string {
  const hash = createHash('sha256').update(JSON.stringify(settings))
  for (const file of files) hash.update(`\0${relative(root, file)}\0`).update(readFileSync(file))
  return hash.digest('hex')
}

export function readStamp(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

export function writeStamp(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(`${path}.tmp`, text)
  renameSync(`${path}.tmp`, path)
}
