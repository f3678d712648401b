import { statfs } from 'node:fs/promises'

/** The C library of the Node that runs, which is the system's. */
export type Libc = 'glibc' | 'musl'

export function systemLibc(): Libc {
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork?: boolean }
  const { excludeNetwork = false } = report
  // else it asks the DNS for the names of whom open sockets are connected to
  report.excludeNetwork = true
  try {
    const { header } = report.getReport() as unknown as { header: { glibcVersionRuntime?: string } }
    return header.glibcVersionRuntime ? 'glibc' : 'musl'
  } finally {
    report.excludeNetwork = excludeNetwork
  }
}

/** Bytes that this user may still write where a folder lies; undefined where its file system does not tell. */
export async function freeBytes(folder: string): Promise<number | undefined> {
  const { blocks, bavail, bsize } = await statfs(folder)
  return blocks > 0 ? bavail * bsize : undefined
}
