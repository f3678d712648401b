import test from 'ava'
import type { Prompt } from '../../src/data/prompt.ts'
import { CodeVerifier } from '../../src/verify/code/code-verifier.ts'
import { loadVerifier } from '../../src/verify/load-verifier.ts'
import { grader, sandboxWorks } from './code-answer.ts'

const run = (await sandboxWorks()) ? test : test.skip
const grade = grader()

const sum = { inputs: ['3 4\n', '10 -2\n'], outputs: ['7\n', '8\n'] }

run('standard input and output', async (t) => {
  t.like(await grade('a, b = map(int, input().split())\nprint(a + b)', sum), { reward: 1, correct: true })
  t.like(await grade('import sys\nprint(sum(map(int, sys.stdin.buffer.read().split())), end="   \\n\\n")', sum), {
    reward: 1,
  })
  t.like(await grade('print(sum(map(int, open(0).read().split())))', sum), { reward: 1 })
  t.like(await grade("print(sum(map(int, open('/dev/stdin').read().split())))", sum), { reward: 1 })
  t.like(await grade("import pathlib\nprint(sum(map(int, pathlib.Path('/dev/stdin').read_text().split())))", sum), {
    reward: 1,
  })
  t.like(
    await grade("from io import open\nwith open('/dev/stdin') as f: print(sum(map(int, f.read().split())))", sum),
    {
      reward: 1,
    },
  )
  t.like(await grade('import os\nprint(sum(map(int, os.read(0, 100).split())))', sum), { reward: 1 })
  t.like(await grade("import os\nprint(sum(map(int, os.fdopen(os.open('/dev/stdin', 0)).read().split())))", sum), {
    reward: 1,
  })
  t.like(await grade('if __name__ == "__main__":\n  print(float(sum(map(int, input().split()))))\n  exit()', sum), {
    reward: 1,
  })
  t.like(
    await grade(
      'import threading\ndef main():\n  print(sum(map(int, input().split())))\nthreading.stack_size(1 << 26)\nthreading.Thread(target=main).start()',
      sum,
    ),
    { reward: 1 },
  )
  t.deepEqual(await grade('print(7)', sum), {
    ...{ reward: 0, correct: false, extracted: 'print(7)' },
    reason: 'test 2 of 2: printed "7", not "8"',
  })
  t.like(await grade('print(1 / 0)', sum), {
    reward: 0,
    reason: 'test 1 of 2: exit status 1: ZeroDivisionError: division by zero',
  })
  t.like(await grade('print(sum(map(int, input().split())))\nraise SystemExit(3)', sum), { reward: 0 })
  t.like(await grade('print(', sum), { reward: 0, reason: "SyntaxError: '(' was never closed (answer.py, line 1)" })
})

run('calls of a function or a method', async (t) => {
  const add = { inputs: [[3, 4], '10\n-2'], outputs: [7, '8'], fn_name: 'add' }
  t.like(await grade('def add(a, b):\n  return a + b', add), { reward: 1 })
  t.like(await grade('class Solution:\n  def add(self, a: int, b: Optional[int]) -> int:\n    return a + b', add), {
    reward: 1,
  })
  t.like(await grade('def add(a, b):\n  return a - b', add), {
    reward: 0,
    reason: 'test 1 of 2: add(3, 4) is -1, not 7',
  })
  t.like(await grade('def plus(a, b):\n  return a + b', add), {
    reward: 0,
    reason: 'test 1 of 2: the answer defines no add',
  })
  t.like(await grade('def add(a, b):\n  return str(a + b)', add), { reward: 0 })
  const same = (output: unknown) => ({ inputs: [[0]], outputs: [output], fn_name: 'f' })
  const rows: [string, unknown, number][] = [
    ['(1, [2, 3])', [1, [2, 3]], 1],
    ['{"a": (1,)}', { a: [1] }, 1],
    ['True', 1, 0],
    ['1', true, 0],
    ['1.0', 1, 1],
    ['"1"', 1, 0],
    ['[1]', 1, 0],
    ['None', null, 1],
    ['0', null, 0],
    ['{1}', [1], 0],
    ['float("nan")', 0, 0],
    ['lambda: 0', 0, 0],
  ]
  for (const [code, output, reward] of rows) {
    t.is(
      (await grade(`def f(x):\n  return ${code}`, same(output))).reward,
      reward,
      `${code} for ${JSON.stringify(output)}`,
    )
  }
  const large = { inputs: ['100000000000000000001'], outputs: ['100000000000000000002'], fn_name: 'next' }
  t.like(await grade('def next(n):\n  return n + 1', large), { reward: 1 })
})

run('assertions', async (t) => {
  const cases = {
    assert_case: ['assert double(2) == 4', 'double("ab") == "abab"', 'assert abs(double(1.5) - 3) < 1e-9'],
  }
  t.like(await grade('def double(x):\n  return x + x', cases), { reward: 1 })
  t.like(await grade('def double(x):\n  return x * x if x == 2 else x + "b"', cases), {
    reward: 0,
    reason: 'test 2 of 3: assertion failed: double("ab") == "abab"',
  })
  const raises = {
    assert_case: ['try:\n  f(-1)\n  assert False\nexcept ValueError as error:\n  assert "low" in str(error)'],
  }
  t.like(await grade('def f(x):\n  raise ValueError("too low")', raises), { reward: 1 })
  t.like(await grade('def f(x):\n  raise KeyError("too low")', raises), { reward: 0 })
  // the name of one of Python's own functions, where nothing else is under test
  t.like(await grade('def gcd(a, b):\n  return b', { assert_case: ['assert gcd(12, 8) == 4'] }), { reward: 0 })
  t.like(await grade('def max(a):\n  return a[0]', { assert_case: ['assert max([1, 2]) == 2'] }), { reward: 0 })
  t.like(await grade('x = 1', { assert_case: ['assert f(1) == 1'] }), {
    reward: 0,
    reason: 'test 1 of 1: the answer defines no f',
  })
})

run('classes and objects of the answer stay in its process', async (t) => {
  const stack =
    'class Stack:\n  def __init__(self): self.items = []\n  def push(self, x): self.items.append(x)\n  def pop(self): return self.items.pop()\n  def __len__(self): return len(self.items)'
  const cases = {
    assert_case: [
      's = Stack()\ns.push(1)\ns.push([2])\nassert len(s) == 2 and s.items == [1, [2]]\nassert s.pop() == [2] and isinstance(s, Stack)',
    ],
  }
  t.like(await grade(stack, cases), { reward: 1, reason: 'objects of the answer were compared by its own methods' })
  t.like(await grade(stack.replace('append', 'count'), cases), { reward: 0 })
  const vector =
    'class V:\n  def __init__(self, x): self.x = x\n  def __add__(self, o): return V(self.x + o.x)\n  def __mul__(self, k): return V(self.x * k)\n  def __eq__(self, o): return self.x == o.x'
  t.like(await grade(vector, { assert_case: ['assert V(1) + V(2) == V(3)', 'assert V(2) * 3 == V(6)'] }), { reward: 1 })
  const generator = { assert_case: ['assert list(take(3)) == [0, 1, 2]', 'assert next(take(1)) == 0'] }
  t.like(await grade('def take(n):\n  yield from range(n)', generator), { reward: 1 })
  const callback = { assert_case: ['assert apply(lambda x: x + 1, [1, 2]) == [2, 3]'] }
  t.like(await grade('def apply(f, l):\n  return [f(x) for x in l]', callback), { reward: 1 })
  const inPlace = { assert_case: ['a = [3, 1, 2]\norder(a)\nassert a == [1, 2, 3]'] }
  t.like(await grade('def order(a):\n  a.sort()', inPlace), { reward: 1 })
})

run('check(candidate)', async (t) => {
  const node =
    'class Node:\n  def __init__(self, val=0, next=None): self.val, self.next = val, next\ndef chain(l):\n  head = None\n  for v in reversed(l): head = Node(v, head)\n  return head\ndef flat(n):\n  l = []\n  while n: l.append(n.val); n = n.next\n  return l'
  const reverse = {
    import_prefix: node,
    test_code:
      'def check(candidate):\n  assert flat(candidate(head=chain([1, 2, 3]))) == [3, 2, 1]\n  assert flat(candidate(head=chain(list(range(5000)))))[:2] == [4999, 4998]',
    entry_point: 'Solution().turn',
  }
  const turn =
    'class Solution:\n  def turn(self, head: Optional[Node]) -> Optional[Node]:\n    last = None\n    while head: head.next, last, head = last, head, head.next\n    return last'
  t.like(await grade(turn, reverse), { reward: 1 })
  t.like(await grade(turn.replace('return last', 'return head'), reverse), { reward: 0 })
  t.like(
    await grade('def g(x):\n  return 2', {
      test_code: 'def check(candidate):\n  assert candidate(1) == 2',
      entry_point: 'g',
    }),
    { reward: 1 },
  )
})

run('LiveCodeBench', async (t) => {
  const cases = [{ input: '3 4', output: '7', testtype: 'stdin' }]
  t.like(await grade('print(sum(map(int, input().split())))', JSON.stringify(cases)), { reward: 1 })
  const row = {
    public_test_cases: JSON.stringify([{ input: '[1, 2]\n2', output: '[2, 4]', testtype: 'functional' }]),
    // base64(zlib(pickle(json))), as of the data set: [{"input": "[]\n1", "output": "[]", "testtype": "functional"}]
    private_test_cases: 'eJxrYJnqxAABPXbR1UqZeQWlJUpWCkrRsTF5hko6Ckr5pSVwIRC/JLW4pKSyIBUkklaal1ySmZ+XmKNUGztFDwAi9RbX',
    metadata: '{"func_name": "scale"}',
  }
  t.like(await grade('class Solution:\n  def scale(self, l, k): return [x * k for x in l]', row), { reward: 1 })
  t.like(await grade('class Solution:\n  def scale(self, l, k): return [2, 4]', row), {
    reward: 0,
    reason: 'test 2 of 2: scale([], 1) is [2, 4], not []',
  })
})

run('the share of the tests that pass', async (t) => {
  const share = grader({ reward: 'share', limits: { secondsPerTest: 3 } })
  const truth = { inputs: ['1', '2', '3', '4'], outputs: ['1', '2', '3', '4'] }
  const code = 'n = int(input())\nif n == 2:\n  while True: pass\nprint(0 if n == 3 else n)'
  t.like(await share(code, truth), { reward: 0.5, correct: false, reason: 'test 2 of 4: more than 3.0 s' })
})

test('a ground truth that is none is an error that names the prompt', async (t) => {
  const verifier = new CodeVerifier()
  const errors: [unknown, RegExp][] = [
    [
      undefined,
      /^verifier code: the answer of prompt p7 is missing; it must be an object with 'inputs' and 'outputs', /,
    ],
    ['{', /is no JSON: "\{"/],
    [{ a: 1 }, /has none of the fields .*; its fields are a$/],
    [{ inputs: ['1'], outputs: [] }, /'outputs' must be a list with at least one entry/],
    [{ inputs: ['1', '2'], outputs: ['1'] }, /has 2 inputs, but 1 outputs/],
    [{ inputs: [1], outputs: ['1'] }, /'inputs\[0\]' must be a text, not 1/],
    [
      { inputs: [[1e20]], outputs: [1], fn_name: 'f' },
      /test 1 holds 100000000000000000000, more than JSON numbers keep/,
    ],
    [{ inputs: ['1'], outputs: ['1'], language: 'cobol' }, /'language' is "cobol"; it must be/],
    [{ test_code: 'def check(candidate): pass' }, /'entry_point' must be a text, not missing/],
    [[{ input: '', output: '', testtype: 'x' }], /test case 1 has testtype "x"/],
  ]
  for (const [answer, message] of errors) {
    const sample = { response: '```python\npass\n```', answer, prompt: { id: 'p7' } as Prompt, truncated: false }
    await t.throwsAsync(verifier.verify(sample), { message })
  }
})

run('tests that can not be run are an error', async (t) => {
  const broken: [object, RegExp][] = [
    [{ assert_case: ['assert f('] }, /p0 its tests are no Python: '\(' was never closed/],
    [{ test_code: 'assert f', entry_point: 'f' }, /its test_code defines no check\(candidate\)/],
    [
      { import_prefix: '1 / 0', test_code: 'def check(c): c()', entry_point: 'f' },
      /its import_prefix fails: ZeroDivisionError/,
    ],
    [{ inputs: ['x'], outputs: ['1'], fn_name: 'f' }, /its input 'x' is no JSON/],
  ]
  for (const [answer, message] of broken) await t.throwsAsync(grade('def f(x=0): pass', answer), { message })
})

test('no code, no reward; loadVerifier knows the name', async (t) => {
  const verifier = await loadVerifier('code', '.')
  const verdict = await verifier.verify({
    response: 'print(7)',
    answer: sum,
    prompt: { id: 'p' } as Prompt,
    truncated: false,
  })
  t.deepEqual(verdict, { reward: 0, correct: false, reason: 'no fenced python block', outcome: 'no code' })
})

run('aborted while an answer runs', async (t) => {
  const controller = new AbortController()
  const response = '```python\nwhile True: pass\n```'
  const verdict = new CodeVerifier().verify(
    { response, answer: sum, prompt: { id: 'p' } as Prompt, truncated: false },
    controller.signal,
  )
  setTimeout(() => controller.abort(new Error('enough')), 500)
  await t.throwsAsync(verdict, { message: 'enough' })
})
