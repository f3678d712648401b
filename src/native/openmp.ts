const spinCount = 'GOMP_SPINCOUNT'

/**
 * Runs `load`, which loads libtorch, such that its OpenMP threads wait briefly at a barrier before they sleep. By default
 * they spin for milliseconds, which costs nothing on an idle machine; as soon as another process wants a core, each
 * barrier waits for a thread that spins away its time slice, and a training step takes ten times as long.
 * What the user set in the environment stands.
 */
export function withShortSpins<T>(load: () => T): T {
  if (process.env[spinCount] !== undefined || process.env.OMP_WAIT_POLICY !== undefined) return load()
  // Some 10 microseconds: longer than the gap between two kernels. libgomp reads it once, while it is loaded.
  process.env[spinCount] = '5000'
  try {
    return load()
  } finally {
    delete process.env[spinCount]
  }
}
