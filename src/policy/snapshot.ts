import type { DType, NativeAddon, SnapshotHandle } from '../native/contract.ts'
import { NativeError } from '../native/errors.ts'
import { writeAdapter } from './adapter-folder.ts'
import { rethrow } from './call-native.ts'
import { adapterPrefix, type Lora } from './lora.ts'
import { type ModelConfig, namedConfig } from './model-config.ts'
import { savePolicy } from './save-policy.ts'

/** What the files of a model say beside its weights. */
export interface SnapshotModel {
  config: ModelConfig
  dtype: DType
  lora: Lora | undefined
  /** The folder that the policy was loaded from, whose tokenizer files come along. */
  source: string | undefined
  parameters: { name: string; shape: number[] }[]
}

/**
 * What a policy was at one moment. It is written on a thread of its own, so that the policy trains on meanwhile. On the
 * CPU it costs nothing where the writing ends before the policy's next update; else, and on other devices, copies of
 * weights and optimizer states in the memory of the host, 12 bytes a trained parameter, until it is disposed.
 */
export class PolicySnapshot implements Disposable {
  readonly lora: Lora | undefined
  readonly #addon: NativeAddon
  readonly #handle: SnapshotHandle
  readonly #model: SnapshotModel

  constructor(addon: NativeAddon, handle: SnapshotHandle, model: SnapshotModel) {
    this.#addon = addon
    this.#handle = handle
    this.#model = model
    this.lora = model.lora
  }

  /** As {@link Policy.save}. */
  async save(dir: string): Promise<void> {
    const { config, dtype, source } = this.#model
    const parameters = this.#model.parameters.filter(({ name }) => !name.startsWith(adapterPrefix))
    const write = (path: string, names: string[]) => this.#addon.writeParameters(this.#handle, path, names)
    await savePolicy(dir, { config: namedConfig(config), dtype, parameters, source }, write).catch(rethrow)
  }

  /** As {@link Policy.saveAdapter}. */
  async saveAdapter(dir: string): Promise<void> {
    if (!this.lora)
      throw new NativeError('INVALID_ARGUMENT', 'this policy has no adapter: load it with lora, or use save')
    const write = (path: string) => this.#addon.writeAdapter(this.#handle, path)
    await writeAdapter(dir, this.lora, this.#model.source, write).catch(rethrow)
  }

  /** As {@link Policy.saveOptimizer}. */
  async saveOptimizer(path: string): Promise<void> {
    await this.#addon.writeOptimizer(this.#handle, path).catch(rethrow)
  }

  /** Frees its copies once the calls already made are done; later calls reject. Idempotent. */
  dispose(): void {
    this.#addon.disposeSnapshot(this.#handle)
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}
