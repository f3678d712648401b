/**
 * What went wrong, for programs: `INVALID_ARGUMENT` a value that cannot be used; `FILE` a file that is missing, damaged
 * or cannot be written; `UNSUPPORTED` a model or device that this build does not run; `OUT_OF_MEMORY`; `NOT_FINITE`
 * weights that have diverged, so that nothing can be sampled; `DISPOSED` a call after dispose(); `INTERNAL` a fault of
 * this package or of libtorch; `ADDON_MISSING`, `ADDON_CRASHED`, `ADDON_VERSION`, `LIBTORCH_MISSING` and
 * `LIBTORCH_VERSION` an installation that has to be repaired. An aborted call rejects with the signal's reason instead.
 */
export type NativeErrorCode =
  | 'INVALID_ARGUMENT'
  | 'FILE'
  | 'UNSUPPORTED'
  | 'OUT_OF_MEMORY'
  | 'NOT_FINITE'
  | 'DISPOSED'
  | 'INTERNAL'
  | 'ADDON_MISSING'
  | 'ADDON_CRASHED'
  | 'ADDON_VERSION'
  | 'LIBTORCH_MISSING'
  | 'LIBTORCH_VERSION'

/** An error of the policy or of the native core: `code` for programs, a message that says what to do for people. */
export class NativeError extends Error {
  override readonly name = 'NativeError'
  readonly code: NativeErrorCode

  constructor(code: NativeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** `error` as the caller of an aborted or failed native call is to see it. */
export function callError(error: unknown, signal?: AbortSignal): unknown {
  if (!(error instanceof Error) || error instanceof NativeError) return error
  const { code } = error as { code?: unknown }
  if (code === 'ABORTED') return signal?.aborted ? signal.reason : new DOMException(error.message, 'AbortError')
  return typeof code === 'string' ? new NativeError(code as NativeErrorCode, error.message) : error
}

/** A value as it reads in an error message: `"x"`, `3`, `an array of 2`. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value)
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'function') return 'a function'
  if (typeof value !== 'object' || value === null) return String(value)
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (ArrayBuffer.isView(value) && 'length' in value) {
    const name = Object.prototype.toString.call(value).slice('[object '.length, -1)
    return `${/^[AEIO]/.test(name) ? 'an' : 'a'} ${name} of ${value.length}`
  }
  return 'an object'
}
