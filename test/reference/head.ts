/**
 * The slow, obvious twin of the fused head: one token at a time, one row of logits at a time, in plain typed arrays.
 * Loss: Skywork-OR1, eq 3.1, with the k3 estimator of the KL divergence to a reference policy as an option:
 *
 *     loss = -(1 / N) sum_t { min(rho A, clip(rho, 1 - clipLow, 1 + clipHigh) A) + alpha H } + (beta / N) sum_t k3
 *
 * Float64Array inputs are computed in double precision throughout; Float32Array inputs are read and written in single
 * precision and reduced in double.
 */

export type Floats = Float32Array | Float64Array

export interface HeadInput<A extends Floats> {
  /** [N, H] row-major */
  hidden: A
  /** [V, H] row-major */
  weight: A
  hiddenSize: number
  /** [N] */
  targets: Int32Array
  /** [N] */
  advantages: A
  /** [N]; absent: the ratio is exactly 1 and the policy term's gradient is -A * d logp */
  oldLogprobs?: A
  /** [N]; absent: no KL term */
  referenceLogprobs?: A
}

export interface HeadOptions {
  temperature: number
  clipLow: number
  clipHigh: number
  entropyCoefficient: number
  klCoefficient: number
}

export interface HeadOutput<A extends Floats> {
  loss: number
  /** [N] nats */
  logprobs: A
  /** [N] nats */
  entropy: A
  /** [N, H] d loss / d hidden */
  hiddenGradient: A
  /** [V, H] d loss / d weight */
  weightGradient: A
  /** Tokens whose policy term is constant, because the clip decided it. */
  clipped: number
}

/** What one token adds to the loss, and the derivatives of that by its log-prob and its entropy. */
export interface TokenLoss {
  loss: number
  byLogprob: number
  byEntropy: number
  clipped: boolean
}

export function tokenLoss(
  logprob: number,
  entropy: number,
  advantage: number,
  oldLogprob: number | undefined,
  referenceLogprob: number | undefined,
  options: HeadOptions,
): TokenLoss {
  const ratio = oldLogprob === undefined ? 1 : Math.exp(logprob - oldLogprob)
  const bounded = Math.min(Math.max(ratio, 1 - options.clipLow), 1 + options.clipHigh)
  const clipped = bounded * advantage < ratio * advantage
  const surrogate = clipped ? bounded * advantage : ratio * advantage
  let loss = -surrogate - options.entropyCoefficient * entropy
  // d ratio / d logp = ratio, with or without old log-probs: without them it is exp(logp - detached logp).
  let byLogprob = clipped ? 0 : -ratio * advantage
  if (referenceLogprob !== undefined && options.klCoefficient !== 0) {
    const r = Math.exp(referenceLogprob - logprob)
    loss += options.klCoefficient * (r - (referenceLogprob - logprob) - 1)
    byLogprob += options.klCoefficient * (1 - r)
  }
  return { loss, byLogprob, byEntropy: -options.entropyCoefficient, clipped }
}

export function headReference<A extends Floats>(input: HeadInput<A>, options: HeadOptions): HeadOutput<A> {
  const { hidden, weight, hiddenSize: H, targets } = input
  const N = targets.length
  const V = weight.length / H
  const create = (length: number) => new (hidden.constructor as new (length: number) => A)(length)
  const logprobs = create(N)
  const entropy = create(N)
  const hiddenGradient = create(N * H)
  const weightGradient = create(V * H)
  const row = new Float64Array(V)
  let loss = 0
  let clipped = 0

  for (let n = 0; n < N; n++) {
    let max = Number.NEGATIVE_INFINITY
    for (let v = 0; v < V; v++) {
      let z = 0
      for (let h = 0; h < H; h++) z += hidden[n * H + h]! * weight[v * H + h]!
      row[v] = z / options.temperature
      max = Math.max(max, row[v]!)
    }
    let sum = 0
    for (let v = 0; v < V; v++) sum += Math.exp(row[v]! - max)
    const logSumExp = max + Math.log(sum)
    let tokenEntropy = 0
    for (let v = 0; v < V; v++) {
      const logp = row[v]! - logSumExp
      tokenEntropy -= Math.exp(logp) * logp
    }
    const target = targets[n]!
    const logprob = row[target]! - logSumExp
    logprobs[n] = logprob
    entropy[n] = tokenEntropy

    const token = tokenLoss(
      logprob,
      tokenEntropy,
      input.advantages[n]!,
      input.oldLogprobs?.[n],
      input.referenceLogprobs?.[n],
      options,
    )
    loss += token.loss / N
    if (token.clipped) clipped++

    // d logp / d z = onehot - p and d H / d z = -p (log p + H), each over the temperature.
    for (let v = 0; v < V; v++) {
      const logp = row[v]! - logSumExp
      const p = Math.exp(logp)
      const byLogit =
        (token.byLogprob * ((v === target ? 1 : 0) - p) - token.byEntropy * p * (logp + tokenEntropy)) /
        (options.temperature * N)
      if (byLogit === 0) continue
      for (let h = 0; h < H; h++) {
        hiddenGradient[n * H + h]! += byLogit * weight[v * H + h]!
        weightGradient[v * H + h]! += byLogit * hidden[n * H + h]!
      }
    }
  }
  return { loss, logprobs, entropy, hiddenGradient, weightGradient, clipped }
}
