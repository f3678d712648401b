import { terminalText } from '../metrics/terminal-text.ts'

/** How a command ends that did not end well. */
export interface Failure {
  /** Empty where it was printed already. */
  message: string
  /** 1 failed, 2 wrong usage or config, 130 interrupted; 0 where help was asked for */
  code: number
}

/** One clear message, with the stack only where it is asked for. */
export function failure(error: unknown, verbose: boolean): Failure {
  if (!(error instanceof Error)) return { message: `magic-grpo: ${String(error)}`, code: 1 }
  const code = (error as { code?: unknown }).code
  if (typeof code === 'string' && code.startsWith('commander.'))
    return { message: '', code: (error as unknown as { exitCode: number }).exitCode === 0 ? 0 : 2 }
  if (error.name === 'AbortError') return { message: 'magic-grpo: interrupted', code: 130 }
  // A message may quote a file or a response.
  const text = terminalText(verbose ? (error.stack ?? error.message) : error.message)
  return { message: `magic-grpo: ${text}`, code: error.name === 'ConfigError' ? 2 : 1 }
}
