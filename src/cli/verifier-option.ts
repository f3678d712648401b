import { loadVerifierConfig } from '../config/verifier-config.ts'
import { loadVerifier } from '../verify/load-verifier.ts'
import type { Extraction } from '../verify/math/prose.ts'
import type { Verifier } from '../verify/verifier.ts'

/**
 * The verifier that `--verifier` names: as in a config, or that of a config.
 *
 * @param extraction where `math` looks for the answer; what the config says unless given
 * @returns it, and its name or all that a config says of it, as a text that tells one from another
 */
export async function chooseVerifier(
  spec: string,
  extraction?: Extraction,
): Promise<{ verifier: Verifier; described: string }> {
  const own = extraction === undefined ? {} : { extraction }
  if (!/\.ya?ml$/.test(spec))
    return { verifier: await loadVerifier(spec, process.cwd(), { math: own }), described: spec }
  const config = await loadVerifierConfig(spec)
  const settings = { ...config, math: { ...config.math, ...own } }
  return { verifier: await loadVerifier(config.verifier, process.cwd(), settings), described: JSON.stringify(settings) }
}
