import { locateLibtorch } from '../native/libtorch.ts'
import { BUILD_FROM_SOURCE, libtorchSolutions } from '../native/libtorch-help.ts'
import { findAddon } from '../native/load.ts'
import { buildAddon } from './build-addon.ts'
import { note, orFail } from './progress.ts'

/**
 * The install script of the published package. A prebuilt addon that fits this machine needs nothing, and nothing is
 * ever downloaded here. Where none fits, or `--build-from-source` asks for it, the addon is compiled against a libtorch
 * that is there already.
 */
await orFail(async () => {
  const asked = askedFor(process.env.npm_config_build_from_source) || process.argv.includes('--build-from-source')
  if (!asked && hasAddon()) return
  try {
    await build()
  } catch (error) {
    if (asked) throw error
    // The package is installed all the same: its commands say what is missing.
    note(`no prebuilt addon for ${process.platform} ${process.arch}, and none was built: ${(error as Error).message}`)
    note(`then: ${BUILD_FROM_SOURCE}`)
  }
})

async function build(): Promise<void> {
  const libtorch = locateLibtorch()
  if (!libtorch) throw new Error(`building needs a libtorch.\n${libtorchSolutions()}`)
  note(`libtorch ${libtorch.version} at ${libtorch.root} (${libtorch.foundBy})`)
  await buildAddon(libtorch)
}

/** npm's setting: all packages, or the names of some. */
function askedFor(setting = ''): boolean {
  return setting === 'true' || setting.split(',').includes('magic-grpo')
}

function hasAddon(): boolean {
  try {
    findAddon()
    return true
  } catch {
    return false
  }
}
