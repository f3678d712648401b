import type { Language } from './extract-code.ts'

/** What one answer may use. */
export interface Limits {
  /** of one test, by the clock */
  secondsPerTest: number
  /** of all tests of n, by the clock: min(7 n + 5, 300) unless given */
  secondsInAll?: number
  /** of address space (Python) or writable memory (Node), bytes */
  memory: number
  /** of standard output in one test, and of a value between answer and tests, bytes */
  output: number
}

export const DEFAULT_LIMITS: Limits = { secondsPerTest: 6, memory: 2 ** 30, output: 16 * 2 ** 20 }

/** By the clock, for all tests of an answer. */
export function secondsInAll({ secondsInAll }: Limits, tests: number): number {
  return secondsInAll ?? Math.min(7 * tests + 5, 300)
}

/** The limits that the kernel holds, by their names in setrlimit. */
export interface ResourceLimits {
  AS?: number
  DATA?: number
  /** seconds of all threads together */
  CPU: number
  FSIZE: number
  NOFILE: number
  CORE: number
  STACK: number
  /** absent where it would count the user's other processes too */
  NPROC?: number
}

/** Writable memory of Node before an answer has any, stacks of its threads for the most part: bytes. */
const NODE_ITSELF = 256 * 2 ** 20

/** @param ownCount the kernel counts the processes of a user namespace by themselves (Linux 5.14) and there is one */
export function resourceLimits(limits: Limits, language: Language, ownCount: boolean): ResourceLimits {
  const python = language === 'python'
  return {
    ...(python ? { AS: limits.memory } : { DATA: limits.memory + NODE_ITSELF }),
    CPU: Math.ceil(limits.secondsPerTest) + 1,
    FSIZE: limits.output,
    NOFILE: 64,
    CORE: 0,
    // A thread's stack is as large unless it says otherwise: Node starts with a dozen.
    STACK: (python ? 64 : 16) * 2 ** 20,
    ...(ownCount ? { NPROC: 64 } : {}),
  }
}
