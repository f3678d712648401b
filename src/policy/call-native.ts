import type { CancelHandle, NativeAddon } from '../native/contract.ts'
import { callError } from '../native/errors.ts'

/**
 * One call of the addon that the signal cancels at its next token or micro-batch.
 *
 * @throws NativeError, or the signal's reason where it was aborted
 */
export async function callNative<T>(
  addon: NativeAddon,
  signal: AbortSignal | undefined,
  start: (cancel?: CancelHandle) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted()
  const cancel = signal && addon.createCancel()
  const abort = () => cancel && addon.cancel(cancel)
  signal?.addEventListener('abort', abort, { once: true })
  try {
    return await start(cancel)
  } catch (error) {
    throw callError(error, signal)
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}

/** The addon's error as a NativeError. */
export function rethrow(error: unknown): never {
  throw callError(error)
}
