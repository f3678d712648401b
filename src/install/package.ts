import { locateLibtorch } from '../native/libtorch.ts'
import { libtorchSolutions } from '../native/libtorch-help.ts'
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
  const libtorch = locateLibtorch()
  if (libtorch) {
    note(`libtorch ${libtorch.version} at ${libtorch.root} (${libtorch.foundBy})`)
    await buildAddon(libtorch)
  } else if (asked) {
    throw new Error(`building needs a libtorch.\n${libtorchSolutions()}`)
  } else {
    note(
      `no prebuilt addon for ${process.platform} ${process.arch}, and no libtorch to build one against. Then:\n` +
        '  npx magic-grpo libtorch install && npm rebuild magic-grpo --build-from-source',
    )
  }
})

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
