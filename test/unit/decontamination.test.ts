import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { Decontamination } from '../../src/data/decontamination.ts'
import { describeDropped, loadPrompts } from '../../src/data/load-prompts.ts'
import type { Message } from '../../src/data/prompt.ts'

const problem = 'Every morning Aya goes for a $9$-kilometer-long walk and stops at a coffee shop afterwards.'
const against = (...files: string[][]) => new Decontamination(files, { ngram: 5 })

test('as many words in a row are a repetition, whatever their case and punctuation; one fewer is none', (t) => {
  const held = against([problem])
  t.true(held.repeats(problem))
  t.true(held.repeats('He is for A 9 KILOMETER -- long, run'), 'for a 9 kilometer long')
  t.false(held.repeats('He is for a 9 kilometer run, long and far'))
  t.false(held.repeats('a for 9 kilometer long walk'))
})

test('a problem shorter than the run repeats as a whole, signs included', (t) => {
  const held = against(['What is 3 + 5?', '12*4='])
  t.true(held.repeats('what is  $3+5$'))
  t.true(held.repeats('12 * 4 ='))
  t.false(held.repeats('What is 3 * 5?'))
  t.false(held.repeats('12+4='))
  t.false(held.repeats('And what is 3 + 5?'))
})

test('what three problems of one file share is a phrase; the problems themselves still count', (t) => {
  const suffix = 'think step by step and output the final answer within \\boxed{}'
  const problems = ['Find the roots of x', 'Count all of the trees here', 'Draw me a very small sheep'].map(
    (text) => `${text}. Let us ${suffix}.`,
  )
  t.false(against(problems).repeats(`What is a monad? Please ${suffix}`))
  t.true(against(problems).repeats(`Count all of the trees. Please ${suffix}`), 'a run of its own')
  t.true(against(problems.slice(0, 2)).repeats(`What is a monad? Please ${suffix}`), 'two problems make no phrase')
  t.true(against([problem, problem, problem]).repeats(problem), 'a problem that is there three times is one')
  t.true(against([problem], [problem], [`${problem} Go.`]).repeats(problem), 'a problem of three files is one')
})

test('prompts that repeat an evaluation problem are dropped and counted', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'magic-grpo-decontamination-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const file = async (name: string, rows: object[]) => {
    await writeFile(join(folder, name), rows.map((row) => JSON.stringify(row)).join('\n'))
    return join(folder, name)
  }
  const heldout = await file('heldout.jsonl', [
    { question: problem, answer: '#### 9' },
    { prompt: '1+1?', answer: '2' },
  ])
  const train = await file('train.jsonl', [
    {
      prompt: [
        { role: 'system', content: problem },
        { role: 'user', content: '2+2?' },
      ],
      answer: '4',
    },
    {
      prompt: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: '1 + 1' },
      ],
      answer: '2',
    },
    { prompt: `Solve. ${problem}`, answer: '9' },
  ])
  const tokenizer = { chatPrompt: (_: Message[]) => ({ text: 'a', tokenIds: Int32Array.of(1) }) }
  const options = {
    tokenizer,
    maxPromptLength: 9,
    promptSuffix: ' Box it.',
    decontaminate: { against: [heldout], ngram: 10 },
  }
  const { prompts, dropped, rows } = await loadPrompts(train, options)
  t.deepEqual(dropped, { tooLong: 0, duplicates: 0, contaminated: 2 })
  t.is(describeDropped(dropped), '2 in the evaluation data')
  t.deepEqual(
    prompts.map(({ answer }) => answer),
    ['4'],
  )
  t.is(rows[0]!.answer, '4')
  await t.throwsAsync(loadPrompts(heldout, options), {
    message: /no prompts left of .*heldout.jsonl: 2 in the evaluation data; give training data of its own/,
  })
})
