import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import test from 'ava'
import { grader, sandboxWorks } from '../unit/code-answer.ts'

interface Problem {
  task_id: string
  prompt: string
  canonical_solution: string
  test: string
  entry_point: string
}

const run = (await sandboxWorks()) ? test : test.skip
const file = new URL('../golden/humaneval/HumanEval.jsonl.gz', import.meta.url)
const problems: Problem[] = gunzipSync(readFileSync(file))
  .toString()
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line))

const grade = grader()

/** The problems whose answers, made of prompt and solution, pass. */
async function passing(answer: (problem: Problem) => string): Promise<string[]> {
  const verdicts = await Promise.all(
    problems.map((problem) =>
      grade(answer(problem), { import_prefix: '', test_code: problem.test, entry_point: problem.entry_point }),
    ),
  )
  return problems.filter((_, i) => verdicts[i]!.reward === 1).map(({ task_id }) => task_id)
}

run('every canonical solution of HumanEval passes', async (t) => {
  t.timeout(300_000)
  const passed = await passing(({ prompt, canonical_solution }) => prompt + canonical_solution)
  t.deepEqual(
    problems.map(({ task_id }) => task_id).filter((id) => !passed.includes(id)),
    [],
  )
  t.is(passed.length, 164)
})

run('none passes with its body replaced by pass', async (t) => {
  t.timeout(300_000)
  t.deepEqual(await passing(({ prompt }) => `${prompt}    pass\n`), [])
})

run('none passes with its last line broken', async (t) => {
  t.timeout(300_000)
  t.deepEqual(await passing(({ prompt, canonical_solution }) => prompt + brokenEnd(canonical_solution)), [])
})

/** The last line with its result gone. */
function brokenEnd(solution: string): string {
  const lines = solution.trimEnd().split('\n')
  const indent = /^\s*/.exec(lines.at(-1)!)![0]
  return `${[...lines.slice(0, -1), `${indent}return undefined_name`].join('\n')}\n`
}
