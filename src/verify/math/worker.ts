import { parentPort } from 'node:worker_threads'
import { compareAnswers } from './answer.ts'
import type { CompareJob } from './comparison-pool.ts'

parentPort!.on('message', ({ given, gold, options }: CompareJob) => {
  parentPort!.postMessage(compareAnswers(given, gold, options))
})
parentPort!.postMessage('ready')
