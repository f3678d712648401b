import test from 'ava'
import { extractCode } from '../../src/verify/code/extract-code.ts'

const fenced = (indent: string, lines: string[]) => [`${indent}\`\`\`python`, ...lines, `${indent}\`\`\``].join('\n')

test('the last block counts, without the indent of its fence', (t) => {
  t.is(extractCode(`${fenced('', ['a = 1'])}\nthen\n${fenced('   ', ['   b = 2'])}`), 'b = 2')
})

test('a fence far inside a block, as in a string, does not close it', (t) => {
  const lines = ['text = """', '    ```', '    """', 'print(text)']
  t.is(extractCode(fenced('', lines)), lines.join('\n'))
})

test('a block in a list may be closed a little further in or out', (t) => {
  t.is(extractCode('    ```python\n    a = 1\n  ```\nend'), 'a = 1')
  t.is(extractCode('  ```python\n  a = 1\n     ```\nend'), 'a = 1')
})

test('a block that is cut off is no answer', (t) => {
  t.is(extractCode('```python\na = 1'), null)
})
