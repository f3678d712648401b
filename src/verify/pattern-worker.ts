import { parentPort } from 'node:worker_threads'
import type { PatternJob } from './pattern-pool.ts'

parentPort!.on('message', ({ pattern, text }: PatternJob) => {
  parentPort!.postMessage(new RegExp(pattern, 's').test(text))
})
parentPort!.postMessage('ready')
