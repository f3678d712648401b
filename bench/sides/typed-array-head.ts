/**
 * The peer of the fused head in this benchmark: the algorithm of the tests' slow twin in plain Float32Arrays, as fast as
 * plain JavaScript reasonably gets: four tokens share each pass over the weight, and no more than four rows of logits exist
 * at a time. test/unit/typed-array-head.test.ts holds it against the twin.
 */

import { type HeadInput, type HeadOptions, type HeadOutput, tokenLoss } from '../../test/reference/head.ts'

const lanes = 4

export function typedArrayHead(
  input: HeadInput<Float32Array>,
  options: HeadOptions,
): Omit<HeadOutput<Float32Array>, 'clipped'> {
  const { hidden, weight, hiddenSize: H, targets } = input
  const N = targets.length
  const V = weight.length / H
  const logprobs = new Float32Array(N)
  const entropy = new Float32Array(N)
  const hiddenGradient = new Float32Array(N * H)
  const weightGradient = new Float32Array(V * H)
  const rows = Array.from({ length: lanes }, () => new Float32Array(V))
  // The last block may be short of tokens: a lane without one reads zeros and has a gradient of zero.
  const x = Array.from({ length: lanes }, () => new Float64Array(H))
  const dx = Array.from({ length: lanes }, () => new Float64Array(H))
  let loss = 0

  for (let start = 0; start < N; start += lanes) {
    const count = Math.min(lanes, N - start)
    for (let lane = 0; lane < lanes; lane++) {
      const n = start + lane
      if (lane < count) x[lane]!.set(hidden.subarray(n * H, (n + 1) * H))
      else x[lane]!.fill(0)
      dx[lane]!.fill(0)
    }
    logits(rows, weight, x, H, 1 / options.temperature)
    for (let lane = 0; lane < lanes; lane++) {
      const row = rows[lane]!
      if (lane >= count) {
        row.fill(0)
        continue
      }
      const n = start + lane
      const target = targets[n]!
      const stats = rowStats(row)
      logprobs[n] = row[target]! - stats.logSumExp
      entropy[n] = stats.entropy
      const token = tokenLoss(
        row[target]! - stats.logSumExp,
        stats.entropy,
        input.advantages[n]!,
        input.oldLogprobs?.[n],
        input.referenceLogprobs?.[n],
        options,
      )
      loss += token.loss / N
      const scale = 1 / (options.temperature * N)
      logitsGradient(row, target, stats, token.byLogprob * scale, token.byEntropy * scale)
    }
    gradients(rows, weight, x, dx, weightGradient, H)
    for (let lane = 0; lane < count; lane++) hiddenGradient.set(dx[lane]!, (start + lane) * H)
  }
  return { loss, logprobs, entropy, hiddenGradient, weightGradient }
}

/** rows = x weight^T / temperature, two rows of the weight at a time. */
function logits(rows: Float32Array[], weight: Float32Array, x: Float64Array[], H: number, scale: number): void {
  const [x0, x1, x2, x3] = x as [Float64Array, Float64Array, Float64Array, Float64Array]
  const V = rows[0]!.length
  const sums = new Float64Array(2 * lanes)
  for (let v = 0; v < V; v += 2) {
    const at = v * H
    // An odd vocabulary's last row is computed twice.
    const other = Math.min(v + 1, V - 1) * H
    let a0 = 0
    let a1 = 0
    let a2 = 0
    let a3 = 0
    let b0 = 0
    let b1 = 0
    let b2 = 0
    let b3 = 0
    for (let h = 0; h < H; h++) {
      const u = weight[at + h]!
      const w = weight[other + h]!
      const y0 = x0[h]!
      const y1 = x1[h]!
      const y2 = x2[h]!
      const y3 = x3[h]!
      a0 += y0 * u
      a1 += y1 * u
      a2 += y2 * u
      a3 += y3 * u
      b0 += y0 * w
      b1 += y1 * w
      b2 += y2 * w
      b3 += y3 * w
    }
    sums[0] = a0
    sums[1] = a1
    sums[2] = a2
    sums[3] = a3
    sums[4] = b0
    sums[5] = b1
    sums[6] = b2
    sums[7] = b3
    for (let lane = 0; lane < lanes; lane++) {
      rows[lane]![v] = sums[lane]! * scale
      if (v + 1 < V) rows[lane]![v + 1] = sums[lanes + lane]! * scale
    }
  }
}

interface RowStats {
  logSumExp: number
  entropy: number
}

/** With m = max z, S = sum e^(z-m) and U = sum e^(z-m) (z-m): log sum exp = m + log S, entropy = log S - U / S. */
function rowStats(row: Float32Array): RowStats {
  let max = Number.NEGATIVE_INFINITY
  for (let v = 0; v < row.length; v++) if (row[v]! > max) max = row[v]!
  let S = 0
  let U = 0
  for (let v = 0; v < row.length; v++) {
    const z = row[v]! - max
    const power = Math.exp(z)
    S += power
    U += power * z
  }
  return { logSumExp: max + Math.log(S), entropy: Math.log(S) - U / S }
}

/** Turns a row of logits into the gradient of the loss by them, in place. */
function logitsGradient(
  row: Float32Array,
  target: number,
  stats: RowStats,
  byLogprob: number,
  byEntropy: number,
): void {
  const { logSumExp, entropy } = stats
  for (let v = 0; v < row.length; v++) {
    const logp = row[v]! - logSumExp
    row[v] = -Math.exp(logp) * (byLogprob + byEntropy * (logp + entropy))
  }
  row[target]! += byLogprob
}

/** dx += rows weight and dweight += rows^T x, two rows of the weight at a time. */
function gradients(
  rows: Float32Array[],
  weight: Float32Array,
  x: Float64Array[],
  dx: Float64Array[],
  dweight: Float32Array,
  H: number,
): void {
  const [x0, x1, x2, x3] = x as [Float64Array, Float64Array, Float64Array, Float64Array]
  const [d0, d1, d2, d3] = dx as [Float64Array, Float64Array, Float64Array, Float64Array]
  const [z0, z1, z2, z3] = rows as [Float32Array, Float32Array, Float32Array, Float32Array]
  const V = z0.length
  for (let v = 0; v < V; v += 2) {
    const at = v * H
    const [f0, f1, f2, f3] = [z0[v]!, z1[v]!, z2[v]!, z3[v]!]
    const whole = v + 1 < V
    // An odd vocabulary's last row is its own partner, with a gradient of zero.
    const other = whole ? at + H : at
    const [g0, g1, g2, g3] = whole ? [z0[v + 1]!, z1[v + 1]!, z2[v + 1]!, z3[v + 1]!] : [0, 0, 0, 0]
    for (let h = 0; h < H; h++) {
      const u = weight[at + h]!
      const w = weight[other + h]!
      const y0 = x0[h]!
      const y1 = x1[h]!
      const y2 = x2[h]!
      const y3 = x3[h]!
      d0[h] = d0[h]! + f0 * u + g0 * w
      d1[h] = d1[h]! + f1 * u + g1 * w
      d2[h] = d2[h]! + f2 * u + g2 * w
      d3[h] = d3[h]! + f3 * u + g3 * w
      dweight[at + h] = dweight[at + h]! + f0 * y0 + f1 * y1 + f2 * y2 + f3 * y3
      dweight[other + h] = dweight[other + h]! + g0 * y0 + g1 * y1 + g2 * y2 + g3 * y3
    }
  }
}
