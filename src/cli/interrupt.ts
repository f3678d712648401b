/**
 * A signal that Ctrl-C (or SIGTERM) aborts, so that work ends in order. A second Ctrl-C ends the process at once.
 */
export function interruptSignal(onInterrupt: () => void): { signal: AbortSignal; release(): void } {
  const controller = new AbortController()
  const stop = () => {
    if (controller.signal.aborted) process.exit(130)
    controller.abort()
    onInterrupt()
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  return {
    signal: controller.signal,
    release() {
      process.off('SIGINT', stop)
      process.off('SIGTERM', stop)
    },
  }
}
