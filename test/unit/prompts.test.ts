import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import test from 'ava'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { type LoadPromptsOptions, loadPrompts } from '../../src/data/load-prompts.ts'
import type { Message } from '../../src/data/prompt.ts'
import { readRows } from '../../src/data/rows.ts'

const root = await mkdtemp(join(tmpdir(), 'magic-grpo-data-'))
test.after.always(() => rm(root, { recursive: true, force: true }))
let files = 0

async function file(content: string | Uint8Array, extension = 'jsonl'): Promise<string> {
  const path = join(root, `file${files++}.${extension}`)
  await writeFile(path, content)
  return path
}
const jsonLines = (...rows: unknown[]) => file(rows.map((row) => JSON.stringify(row)).join('\n'))

/** One token a character of `role:content|`. */
const tokenizer = {
  chatPrompt(messages: Message[]) {
    const text = messages.map(({ role, content }) => `${role}:${content}|`).join('')
    return { text, tokenIds: Int32Array.from([...text], (character) => character.codePointAt(0)!) }
  },
}
const load = (paths: string | string[], options: Partial<LoadPromptsOptions> = {}) =>
  loadPrompts(paths, { tokenizer, maxPromptLength: 1000, ...options })
const recipe = (content: string, ground_truth: unknown) => ({
  data_source: 'math-train',
  prompt: [{ role: 'user', content }],
  ability: 'math',
  reward_model: { ground_truth, style: 'rule' },
  extra_info: { index: 7 },
})

test('the recipe rows: messages, source, answer and the rest', async (t) => {
  const { prompts, dropped } = await load(await jsonLines(recipe('1+1?', '2')))
  t.deepEqual(dropped, { tooLong: 0, duplicates: 0, contaminated: 0 })
  const [prompt] = prompts
  t.deepEqual(prompt!.messages, [{ role: 'user', content: '1+1?' }])
  t.is(prompt!.source, 'math-train')
  t.is(prompt!.answer, '2')
  t.deepEqual(prompt!.extra, { ability: 'math', extra_info: { index: 7 } })
  t.deepEqual(prompt!.tokenIds, tokenizer.chatPrompt(prompt!.messages).tokenIds)
  t.regex(prompt!.id, /^[0-9a-f]{16}$/)
})

test('ground truth in JSON: lists of texts and objects are parsed, intervals and sets stay text', async (t) => {
  const answers = [
    ['["34", "68/2"]', ['34', '68/2']],
    ['"34"', '34'],
    ['{"inputs": ["1\\n"], "outputs": ["2\\n"]}', { inputs: ['1\n'], outputs: ['2\n'] }],
    ['[1, 2]', '[1, 2]'],
    ['[]', '[]'],
    ['{}', '{}'],
    ['{1, 2}', '{1, 2}'],
    ['[0, 9)', '[0, 9)'],
    ['34', '34'],
    [['34'], ['34']],
    [34, 34],
  ]
  const { prompts } = await load(await jsonLines(...answers.map(([given], i) => recipe(`${i}?`, given))))
  t.deepEqual(
    prompts.map(({ answer }) => answer),
    answers.map(([, expected]) => expected),
  )
})

test('GSM8K rows: the answer is what follows the last ####', async (t) => {
  const path = await jsonLines({ question: 'How many?', answer: '9 * 2 = <<9*2=18>>18\n#### 1,018' })
  const { prompts } = await load(path)
  t.is(prompts[0]!.answer, '1,018')
  t.is(`${prompts[0]!.source}.jsonl`, basename(path))
})

test('plain rows', async (t) => {
  const { prompts } = await load(
    await jsonLines(
      { prompt: 'a', answer: '1' },
      { question: 'b', ground_truth: 2 },
      { prompt: [{ role: 'user', content: 'c' }], answer: '#### 3' },
      { prompt: 'd' },
    ),
  )
  t.deepEqual(
    prompts.map(({ messages, answer }) => [messages[0]!.content, answer]),
    [
      ['a', '1'],
      ['b', 2],
      ['c', '#### 3'],
      ['d', undefined],
    ],
  )
})

test('Parquet: the recipe rows, 64-bit integers as numbers or exact text', async (t) => {
  const columnData = [
    { name: 'data_source', data: ['aime', 'aime'] },
    {
      name: 'prompt',
      data: [[{ role: 'user', content: 'p' }], [{ role: 'user', content: 'q' }]],
      type: 'JSON' as const,
    },
    { name: 'reward_model', data: [{ ground_truth: '["204"]' }, { ground_truth: '5' }], type: 'JSON' as const },
    { name: 'index', data: [3n, 9007199254740993n], type: 'INT64' as const },
    { name: 'note', data: ['x', null], type: 'STRING' as const },
  ]
  const path = await file(new Uint8Array(parquetWriteBuffer({ columnData })), 'parquet')
  const { prompts } = await load(path)
  t.deepEqual(
    prompts.map(({ messages, answer, source, extra }) => [messages[0]!.content, answer, source, extra]),
    [
      ['p', ['204'], 'aime', { index: 3, note: 'x' }],
      ['q', '5', 'aime', { index: '9007199254740993', note: null }],
    ],
  )
})

test('JSON Lines: blank lines, CRLF, a byte order mark, U+2028 within text, and chunks that split characters', async (t) => {
  const long = 'ü'.repeat(700_000)
  const path = await file(
    `\ufeff{"prompt":"a\u2028b","answer":1}\r\n\n{"prompt":"${long}","answer":2}\n{"prompt":"c","answer":3}\n`,
  )
  const rows = await readRows(path)
  t.deepEqual(
    rows.map(({ where }) => where),
    [`${path}:1`, `${path}:3`, `${path}:4`],
  )
  t.is(rows[0]!.fields.prompt, 'a\u2028b')
  t.is(rows[1]!.fields.prompt, long)
})

test('systemPrompt goes where there is none, promptSuffix to the last user message', async (t) => {
  const system = { role: 'system', content: 'own' }
  const talk = [
    { role: 'user', content: 'u1' },
    { role: 'assistant', content: 'a1' },
    { role: 'user', content: 'u2' },
  ]
  const path = await jsonLines({ prompt: talk, answer: '1' }, { prompt: [system, talk[0]], answer: '1' })
  const { prompts } = await load(path, { systemPrompt: 'be brief', promptSuffix: ' Box it.' })
  t.deepEqual(
    prompts.map(({ messages }) => messages.map(({ role, content }) => `${role}:${content}`)),
    [
      ['system:be brief', 'user:u1', 'assistant:a1', 'user:u2 Box it.'],
      ['system:own', 'user:u1 Box it.'],
    ],
  )
  const headless = await jsonLines({ prompt: [system], answer: '1' })
  await t.throwsAsync(load(headless, { promptSuffix: '!' }), {
    message: /:1: promptSuffix goes to the last user message/,
  })
})

test('duplicates and long prompts are dropped and counted, across files', async (t) => {
  const first = await jsonLines(
    { prompt: 'a', answer: '1' },
    { prompt: 'a', answer: '1' },
    { prompt: 'a', answer: '2' },
  )
  const second = await jsonLines({ question: 'a', answer: '1' }, { prompt: 'x'.repeat(50), answer: '1' })
  const { prompts, dropped } = await load([first, second], { maxPromptLength: 20 })
  t.deepEqual(dropped, { tooLong: 1, duplicates: 2, contaminated: 0 })
  t.deepEqual(
    prompts.map(({ answer }) => answer),
    ['1', '2'],
  )
  t.is(new Set(prompts.map(({ id }) => id)).size, 2)
  const again = await load([first])
  t.is(again.prompts[0]!.id, prompts[0]!.id)
})

test('nothing left says what was dropped and why', async (t) => {
  const path = await jsonLines({ prompt: 'abc', answer: '1' }, { prompt: 'abc', answer: '1' })
  await t.throwsAsync(load(path, { maxPromptLength: 5 }), {
    message:
      /no prompts left of .*: 1 too long, 1 duplicate; maxPromptLength is 5 tokens and the shortest has 9: raise maxPromptLength to at least 9/,
  })
  await t.throwsAsync(load(await file('\n')), { message: /no prompts in .*: the files have no rows/ })
})

test('bad rows are named by file and line', async (t) => {
  const cases: [string, RegExp][] = [
    ['{"prompt":"a"}\n{"prompt":', /:2: not valid JSON/],
    ['[1,2]', /:1: expected one JSON object a line, found \[1,2\]/],
    ['{"text":"a"}', /:1: no 'prompt' and no 'question'; its fields are text/],
    ['{"prompt":[]}', /:1: 'prompt' must be text or a list of messages/],
    ['{"question":5}', /:1: 'question' must be text/],
    [
      '{"prompt":[{"role":"user","content":[{"type":"image"}]}]}',
      /:1: 'prompt\[0\]' must have a text 'role' and a text 'content'/,
    ],
  ]
  for (const [content, message] of cases) await t.throwsAsync(load(await file(content)), { message })
  await t.throwsAsync(load(await file('a,b', 'csv')), {
    message: /\.csv: rows are read from .jsonl, .ndjson or .parquet, not from '.csv'/,
  })
  await t.throwsAsync(load(join(root, 'absent.jsonl')), { message: /absent.jsonl: no such file/ })
  await t.throwsAsync(load(await file('not parquet', 'parquet')), { message: /not a readable Parquet file/ })
})

test('a prompt that the chat template refuses or that is empty is named by its row', async (t) => {
  const path = await jsonLines({ prompt: 'a' })
  const refusing = {
    chatPrompt: () => {
      throw new Error('users first')
    },
  }
  await t.throwsAsync(load(path, { tokenizer: refusing }), { message: /:1: users first/ })
  const empty = { chatPrompt: () => ({ text: '', tokenIds: new Int32Array(0) }) }
  await t.throwsAsync(load(path, { tokenizer: empty }), { message: /:1: the prompt is empty/ })
})
