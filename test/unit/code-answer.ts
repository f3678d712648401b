import type { Prompt } from '../../src/data/prompt.ts'
import { bestSandbox } from '../../src/verify/code/choose-sandbox.ts'
import { CodeVerifier, type CodeVerifierOptions } from '../../src/verify/code/code-verifier.ts'
import type { Verdict } from '../../src/verify/verifier.ts'

const prompt = { id: 'p0' } as Prompt

/** Grades a program as a response with a fenced block. */
export function grader(
  options: CodeVerifierOptions = {},
): (code: string, answer: unknown, label?: string) => Promise<Verdict> {
  const verifier = new CodeVerifier(options)
  return (code, answer, label = 'python') =>
    verifier.verify({ response: `So:\n\n\`\`\`${label}\n${code}\n\`\`\`\n`, answer, prompt, truncated: false })
}

/** Whether answers can be run here; says why not where they can't. */
export async function sandboxWorks(): Promise<boolean> {
  const { sandbox, failures } = await bestSandbox()
  if (!sandbox) console.warn(`no sandbox works here, so nothing is run in one:\n  ${failures.join('\n  ')}`)
  return sandbox !== undefined
}
