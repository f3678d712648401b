import { buildAddon } from '../src/install/build-addon.ts'
import { byteProgress, note, orFail, stage } from '../src/install/progress.ts'
import { LIBTORCH_VERSION, type Libtorch, locateLibtorch } from '../src/native/libtorch.ts'
import { fetchLibtorch } from '../src/native/libtorch-fetch.ts'
import { buildTypeScript } from './build-typescript.ts'

/** Everything between `npm ci` in a clone and a package that runs. Each stage finds out by itself whether it has anything to do. */
await orFail(async () => {
  // first: what the errors of the other stages send people to, the doctor, is TypeScript
  await buildTypeScript()
  await buildAddon(await findLibtorch())
})

async function findLibtorch(): Promise<Libtorch> {
  const found = locateLibtorch()
  if (found) {
    note(`libtorch ${found.version} at ${found.root} (${found.foundBy})`)
    return found
  }
  return await stage(`libtorch ${LIBTORCH_VERSION}: none on this machine, fetching it (190 MB)`, () =>
    fetchLibtorch({ report: { note, bytes: byteProgress() } }),
  )
}
