import test from 'ava'
import { grader, sandboxWorks } from './code-answer.ts'

const run = (await sandboxWorks()) ? test : test.skip
const grade = grader()

/** Right answer, wrong answer, test, and why the two have to share a process. */
const rows: Record<string, [right: string, wrong: string, source: string, why: RegExp]> = {
  'a file that is none': [
    'def words(f): return len(f.read().split())',
    'def words(f): return len(f.read())',
    "class Fake:\n    def read(self): return 'a b c'\nassert words(Fake()) == 3",
    /the tests give the answer a Fake/,
  ],
  'a stream': [
    'def words(f): return [line.strip() for line in f]',
    'def words(f): return f.readline()',
    "import io\nassert words(io.StringIO('a\\nb')) == ['a', 'b']",
    /the tests give the answer a StringIO/,
  ],
  'a class derived from one of the answer': [
    'class Shape:\n  def tell(self): return f"area {self.area()}"',
    'class Shape:\n  def tell(self): return "area 8"',
    "class Square(Shape):\n    def area(self): return 3 ** 2\nassert Square().tell() == 'area 9'",
    /its class Square derives from one of the answer/,
  ],
  'what is printed': [
    'def hi(n): print("hi", n)',
    'def hi(n): return f"hi {n}"',
    "import contextlib, io\nout = io.StringIO()\nwith contextlib.redirect_stdout(out):\n    hi(3)\nassert out.getvalue() == 'hi 3\\n'",
    /it uses redirect_stdout/,
  ],
  'what is printed, by hand': [
    'def hi(n): print("hi", n)',
    'def hi(n): print("ho", n)',
    "import io, sys\nsys.stdout = out = io.StringIO()\nhi(3)\nassert out.getvalue() == 'hi 3\\n'",
    /it replaces sys.stdout/,
  ],
  'input in place of the real one': [
    'def ask(): return int(input()) + 1',
    'def ask(): return 4',
    "from unittest.mock import patch\nwith patch('builtins.input', return_value='4'):\n    assert ask() == 5",
    /it uses patch/,
  ],
  coroutines: [
    'async def f(x): return x + 1',
    'async def f(x): return x',
    'import asyncio\nassert asyncio.run(f(2)) == 3',
    /it uses asyncio/,
  ],
  'the type of an object': [
    'class P: pass\ndef make(): return P()',
    'class P: pass\nclass Q(P): pass\ndef make(): return Q()',
    'assert type(make()) is P',
    /it asks for the type of an object/,
  ],
  'named tuples of the tests': [
    'def norm(p): return p.x ** 2 + p.y ** 2',
    'def norm(p): return p[0]',
    "Point = namedtuple('Point', 'x y')\nassert norm(Point(1, 2)) == 5",
    /the tests give the answer a Point/,
  ],
  'an object that is like no other': [
    'def drop(xs, x): return [y for y in xs if y is not x]',
    'def drop(xs, x): return xs',
    'hole = object()\nassert drop([1, hole, 2], hole) == [1, 2]',
    /the tests give the answer a object/,
  ],
  'results that keep their types': [
    'from collections import OrderedDict, namedtuple\nfrom enum import Enum\nclass C(Enum):\n  RED = 1\nT = namedtuple("T", "a")\ndef f(box): return [OrderedDict(a=T(box.n)), {1: C.RED.value}, (1.5, None)]',
    'from collections import OrderedDict\ndef f(box): return [OrderedDict(a=[box.n]), {1: 1}, (1.5, None)]',
    'class Box: n = 2\nassert f(Box()) == [{"a": (2,)}, {1: 1}, (1.5, None)] and 1 < 2 <= len(f(Box())) != 4 and 2 in [2]',
    /the tests give the answer a Box/,
  ],
}

for (const [name, [right, wrong, source, why]] of Object.entries(rows)) {
  run(`one process with the tests: ${name}`, async (t) => {
    const verdict = await grade(right, { assert_case: [source] })
    t.like(verdict, { reward: 1, isolation: 'shared' }, verdict.reason!)
    t.regex(verdict.reason!, why)
    t.regex(verdict.reason!, /^in one process with the tests, as /)
    t.like(await grade(wrong, { assert_case: [source] }), { reward: 0, isolation: 'shared' })
  })
}

run('classes of the prefix are the same on both sides', async (t) => {
  const truth = {
    import_prefix: 'class Node:\n    def __init__(self, value): self.value = value',
    test_code:
      'class Own(Node):\n    pass\ndef check(candidate):\n    made = candidate(Own(3))\n    assert isinstance(made, Node) and made.value == 4',
    entry_point: 'Solution().f',
  }
  const right = 'class Solution:\n  def f(self, node): return Node(node.value + 1) if isinstance(node, Node) else None'
  t.like(await grade(right, truth), { reward: 1, isolation: 'shared' })
  t.like(await grade(right.replace('+ 1', '+ 2'), truth), { reward: 0, isolation: 'shared' })
})

run('tests that hand out no object never share a process, whatever the answer does', async (t) => {
  const answers = [
    'class Own:\n  def __add__(self, other): return self\n  __radd__ = __add__\n  def __getattr__(self, name): return self\n  def __call__(self, *args): return self\ndef f(x): return Own()',
    'def f(x): return f',
    'def f(x): return lambda *args: open(0)',
    'def f(x): raise TypeError("the tests give the answer a Box, which is no plain data")',
  ]
  const tests = [
    'assert f([1]) + 1 == 2',
    'r = f(1)\nassert sorted(copy.deepcopy(r)) == [1]',
    'class Reference:\n    def f(self, x): return x\nassert f(3) == Reference().f(3) + 38',
  ]
  for (const code of answers) {
    const verdicts = await Promise.all(tests.map((source) => grade(code, { assert_case: [source] })))
    for (const verdict of verdicts) {
      t.is(verdict.reward, 0)
      t.is(verdict.isolation, undefined)
    }
  }
})

run('iterators, views and types need no shared process', async (t) => {
  const cases: [string, string][] = [
    [
      'def f(it): return [next(it), *it]',
      'assert f(iter([1, 2, 3])) == [1, 2, 3] and f(x * x for x in (1, 2)) == [1, 4]',
    ],
    ['def f(it): return sum(it)', 'assert f({1: 2, 3: 4}.values()) == 6'],
    ['def f(xs, kind): return [x for x in xs if isinstance(x, kind)]', "assert f([1, 'a', 2], int) == [1, 2]"],
    ['def f(): return ValueError', 'assert f() is ValueError'],
    ['class P:\n  def __init__(self): self.x = [1]', 'p = P()\nq = copy.deepcopy(p)\nq.x = [2]\nassert p.x == [1]'],
    ['class P: pass\ndef f(): return P()', "assert f().__class__.__name__ == 'P'"],
  ]
  for (const [code, source] of cases) {
    const verdict = await grade(code, { assert_case: [source] })
    t.is(verdict.reward, 1, verdict.reason)
    t.is(verdict.isolation, undefined)
  }
})

run('code.shared: false earns nothing where a process would be shared', async (t) => {
  const alone = grader({ shared: false })
  t.like(await alone('def f(box): return 3', { assert_case: ['class Box: pass\nassert f(Box()) == 3'] }), {
    reward: 0,
    reason:
      'test 1 of 1: the tests give the answer a Box, which is no plain data: it needs the answer in its own process, and code.shared is false',
  })
})
