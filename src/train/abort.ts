/** Whether `error` is what the aborted signal made a call reject with, and no failure of its own. */
export function isAbort(error: unknown, signal: AbortSignal | undefined): boolean {
  if (!signal?.aborted) return false
  // Node's own calls, which a user's verifier may make, wrap the reason in an AbortError.
  return error === signal.reason || (error instanceof Error && error.name === 'AbortError')
}
