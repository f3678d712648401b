import { join } from 'node:path'
import { writeAtomic } from '../metrics/atomic-write.ts'

const PAD = '<pad>'
const EOS = '<eos>'

/**
 * Writes a tokenizer with one token a character: `<pad>` is 0, `<eos>` is 1, and the characters follow in their order.
 * `tokenizer.json` and `tokenizer_config.json` are of the Hugging Face form: `Tokenizer.load` and Python's AutoTokenizer
 * read them alike. There is no unknown token: other characters are an error in both.
 *
 * @param alphabet the characters (code points), each once
 * @param dir is made where it is missing
 * @throws Error when the alphabet is empty or has a character twice
 */
export async function createCharTokenizer(
  alphabet: string,
  dir: string,
  { chatTemplate }: { chatTemplate?: string } = {},
): Promise<void> {
  const characters = [...alphabet]
  if (characters.length === 0) throw new Error('alphabet is empty: give the characters that the model reads and writes')
  const twice = characters.find((character, i) => characters.indexOf(character) !== i)
  if (twice !== undefined) throw new Error(`alphabet has ${JSON.stringify(twice)} twice: give each character once`)

  const vocab = Object.fromEntries([PAD, EOS, ...characters].map((token, id) => [token, id]))
  const special = (content: string, id: number) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  })
  await writeJson(join(dir, 'tokenizer.json'), {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [special(PAD, 0), special(EOS, 1)],
    normalizer: null,
    // [\s\S] is any character, a line break too, in the regular expressions of both libraries.
    pre_tokenizer: { type: 'Split', pattern: { Regex: '[\\s\\S]' }, behavior: 'Isolated', invert: false },
    post_processor: null,
    decoder: { type: 'Fuse' },
    model: { type: 'WordLevel', vocab, unk_token: '<unk>' },
  })
  await writeJson(join(dir, 'tokenizer_config.json'), {
    tokenizer_class: 'PreTrainedTokenizerFast',
    pad_token: PAD,
    eos_token: EOS,
    clean_up_tokenization_spaces: false,
    model_max_length: 1_000_000,
    ...(chatTemplate === undefined ? {} : { chat_template: chatTemplate }),
  })
}

async function writeJson(path: string, value: unknown): Promise<void> {
  await writeAtomic(path, `${JSON.stringify(value, null, 2)}\n`)
}
