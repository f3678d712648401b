import { availableParallelism } from 'node:os'

/**
 * What both sides of a comparison run with: the same count of threads, the allocator settings that the addon makes by
 * mallopt for itself, huge pages as its heap asks for them, and its short waits at OpenMP's barriers. What the user set
 * stands.
 */
export function sideEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  return {
    OMP_NUM_THREADS: String(availableParallelism()),
    GOMP_SPINCOUNT: '5000',
    MALLOC_MMAP_THRESHOLD_: '2147483647',
    MALLOC_TRIM_THRESHOLD_: '2147483647',
    MALLOC_TOP_PAD_: String(64 << 20),
    MALLOC_ARENA_MAX: '1',
    // glibc from 2.35 on
    GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1',
    TOKENIZERS_PARALLELISM: 'false',
    HF_HUB_OFFLINE: '1',
    PYTHONWARNINGS: 'ignore',
    ...env,
  }
}
