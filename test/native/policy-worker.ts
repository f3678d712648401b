import { parentPort, workerData } from 'node:worker_threads'
import { Policy } from '../../src/index.ts'
import { batch, config, prompt } from './tiny.ts'

/** In a worker thread: computes and reports, or goes on generating until it is terminated. */
const { endless } = workerData as { endless: boolean }
const policy = await Policy.create(config(), { seed: 5 })
if (endless) {
  const running = policy.generate(prompt(4), { maxNewTokens: 1_000_000 })
  parentPort!.postMessage('running')
  await running
}
const { loss } = await policy.trainStep(batch(), { learningRate: 1e-2 })
parentPort!.postMessage({ loss, logits: await policy.logits(Int32Array.of(1, 2, 3)) })
