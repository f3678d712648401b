import { buildAddon } from '../src/install/build-addon.ts'
import { orFail } from '../src/install/progress.ts'
import { LIBTORCH_VERSION, locateLibtorch } from '../src/native/libtorch.ts'

/** Only the addon, against a libtorch that is there; MAGIC_GRPO_BUILD_FOLDER names where it goes, for scripts/prebuild.ts. */
await orFail(async () => {
  const found = locateLibtorch()
  if (!found)
    throw new Error(`no libtorch ${LIBTORCH_VERSION} found; npm run build:all fetches it, LIBTORCH=DIR names one`)
  await buildAddon(found, process.env.MAGIC_GRPO_BUILD_FOLDER)
})
