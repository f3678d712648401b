import { randomUUID } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { EntropyControllerState } from '../control/entropy-controller.ts'
import { syncFolder, writeAtomic } from '../metrics/atomic-write.ts'
import type { PolicySnapshot } from '../policy/snapshot.ts'
import type { StageState } from '../stage/stage-scheduler.ts'

/** What a run needs, beside weights and optimizer, to go on exactly. Plain JSON in trainer.json. */
export interface TrainerState {
  /** Format of this record. */
  version: 3
  /** The last completed step. */
  step: number
  seed: number
  controller: EntropyControllerState
  /** The evaluation of the step, where there is one, was made before: the stages have taken it into account. */
  evaluated: boolean
  /** Where the run stands in its stages and their prompts. */
  stages: StageState
  /** How many prompts the run has. */
  promptCount: number
  /** Of the ids of the prompts in their order, hexadecimal: a position means nothing in others. */
  promptHash: string
  /** Wall-clock seconds of the run so far. */
  seconds: number
}

/**
 * A complete checkpoint: a Hugging Face folder with optimizer.safetensors and trainer.json beside the weights. With LoRA
 * the weights are merged, and adapter/ has the adapter alone.
 */
export interface RunCheckpoint {
  path: string
  state: TrainerState
}

/** `step-000001`, so that names sort as numbers do. */
export function stepName(step: number): string {
  return `step-${String(step).padStart(6, '0')}`
}

/** The file of a checkpoint that holds masters, moments and the step count. */
export function optimizerPath(checkpoint: string): string {
  return join(checkpoint, 'optimizer.safetensors')
}

/**
 * Writes a checkpoint beside its final place. It exists for a resumed run only once `commit` has renamed it, which
 * is a single step: a kill at any moment leaves the old state or the new one.
 *
 * @param folder the run's checkpoints folder
 */
export async function prepareCheckpoint(
  folder: string,
  policy: Pick<PolicySnapshot, 'save' | 'saveAdapter' | 'saveOptimizer' | 'lora'>,
  state: TrainerState,
): Promise<{ commit(): Promise<void> }> {
  const name = stepName(state.step)
  const target = join(folder, name)
  const partial = join(folder, `.${name}.${randomUUID()}.partial`)
  await mkdir(partial, { recursive: true })
  try {
    await policy.save(partial)
    if (policy.lora) await policy.saveAdapter(join(partial, 'adapter'))
    await policy.saveOptimizer(optimizerPath(partial))
    await writeAtomic(join(partial, 'trainer.json'), `${JSON.stringify(state, null, 2)}\n`)
    await syncFiles(partial)
  } catch (error) {
    await rm(partial, { recursive: true, force: true })
    throw error
  }
  return {
    async commit() {
      await rename(partial, target)
      await syncFolder(folder)
    },
  }
}

/** The newest complete checkpoint of a run, or undefined where there is none. */
export async function newestCheckpoint(folder: string): Promise<RunCheckpoint | undefined> {
  const [newest] = (await checkpointNames(folder)).reverse()
  if (newest === undefined) return undefined
  const path = join(folder, newest)
  return { path, state: await readState(join(path, 'trainer.json')) }
}

/** Removes all but the newest `keep` checkpoints, and what killed processes left half-written. */
export async function pruneCheckpoints(folder: string, keep: number): Promise<void> {
  const names = await checkpointNames(folder)
  const partial = (await entries(folder)).filter((name) => name.startsWith('.step-') && name.endsWith('.partial'))
  for (const name of [...names.slice(0, -keep), ...partial]) await rm(join(folder, name), { recursive: true })
}

async function readState(path: string): Promise<TrainerState> {
  const text = await readFile(path, 'utf8')
  let state: Partial<TrainerState>
  try {
    state = JSON.parse(text)
  } catch {
    throw new Error(`${path}: not JSON; remove this checkpoint's folder to resume from the one before`)
  }
  if (state.version !== 3 || !Number.isInteger(state.step))
    throw new Error(`${path}: version is ${state.version}, expected 3; it was written by another release`)
  return state as TrainerState
}

async function checkpointNames(folder: string): Promise<string[]> {
  return (await entries(folder)).filter((name) => /^step-\d{6,}$/.test(name)).sort((a, b) => stepOf(a) - stepOf(b))
}

function stepOf(name: string): number {
  return Number(name.slice('step-'.length))
}

async function entries(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
}

/** The rename is durable before the content is, unless each file was flushed first. */
async function syncFiles(folder: string): Promise<void> {
  for (const name of await readdir(folder, { recursive: true })) {
    const file = await open(join(folder, name), 'r')
    await file.sync()
    await file.close()
  }
}
