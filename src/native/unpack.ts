import { createWriteStream } from 'node:fs'
import { chmod, mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { openPromise } from 'yauzl'

/**
 * Unpacks from a zip those files that `place` gives a path, relative to `folder`; it gets each entry's name.
 * Names that would leave the folder are refused (yauzl throws on absolute names and on `..`), as are wrong lengths.
 * @returns how many files were written
 */
export async function unpack(
  archive: string,
  folder: string,
  place: (name: string) => string | undefined,
): Promise<number> {
  const zip = await openPromise(archive, { lazyEntries: true, autoClose: false, strictFileNames: true })
  let files = 0
  try {
    for await (const entry of zip.eachEntry()) {
      const to = entry.fileName.endsWith('/') ? undefined : place(entry.fileName)
      if (to === undefined) continue
      const path = join(folder, to)
      await mkdir(dirname(path), { recursive: true })
      await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(path))
      // the upper half holds the mode where the archive was made on Unix
      if ((entry.externalFileAttributes >>> 16) & 0o111) await chmod(path, 0o755)
      files++
    }
  } finally {
    zip.close()
  }
  return files
}
