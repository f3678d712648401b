import test from 'ava'
import { grader, sandboxWorks } from './code-answer.ts'

const run = (await sandboxWorks()) ? test : test.skip
const grade = grader()
const POINT = `from collections import namedtuple
from enum import Enum
Point = namedtuple('Point', 'x y')
class Color(Enum):
    RED = 1
    BLUE = 2
`

run('arguments that the answer changes are changed for the tests, whatever it returns', async (t) => {
  const keep = 'def f(xs):\n  k = 0\n  for x in xs[:]:\n    if x != 3:\n      xs[k] = x; k += 1\n  return k'
  t.like(await grade(keep, { assert_case: ['xs = [3, 2, 3, 1]\nassert xs[:f(xs)] == [2, 1]'] }), { reward: 1 })
  t.like(await grade('def f(xs): return xs.pop()', { assert_case: ['s = [1, 2]\nassert f(s) == 2 and s == [1]'] }), {
    reward: 1,
  })
  t.like(await grade('def f(xs): return xs[-1]', { assert_case: ['s = [1, 2]\nassert f(s) == 2 and s == [1]'] }), {
    reward: 0,
  })
})

run('types of the standard library stay what they are on the way', async (t) => {
  const rows: [string, string][] = [
    ['f = Counter', "assert f('aab').most_common(1) == [('a', 2)] and f('ab') == {'b': 1, 'a': 1}"],
    ['def f(c): return c.most_common(1)', "assert f(Counter('aab')) == [('a', 2)]"],
    ["def f(d): return d['zz']", 'assert f(defaultdict(int)) == 0'],
    ['def f(d):\n  d.move_to_end(1)\n  return d', 'assert list(f(OrderedDict([(1, 2), (3, 4)]))) == [3, 1]'],
    [
      'def f(a, b): return b - a',
      'from datetime import date, timedelta\nassert f(date(2020, 1, 1), date(2020, 1, 3)) == timedelta(days=2)',
    ],
    [
      'def f(key): return {}[key]',
      "try: f('a')\nexcept KeyError as error: assert error.args == ('a',)\nelse: assert False",
    ],
  ]
  for (const [code, source] of rows) t.like(await grade(code, { assert_case: [source] }), { reward: 1 }, code)
  t.like(await grade('f = Counter', { inputs: [['aab']], outputs: [{ a: 2, b: 1 }], fn_name: 'f' }), { reward: 1 })
})

run('named tuples and enumerations of the prefix stay what they are on the way', async (t) => {
  const check = (body: string) => ({
    ...{ import_prefix: POINT, entry_point: 'f' },
    test_code: `def check(candidate):\n    assert ${body}`,
  })
  t.like(await grade('def f(p): return Point(p.y, p.x)', check('candidate(Point(1, 2)).x == 2')), { reward: 1 })
  t.like(await grade('def f(c): return Color.BLUE', check('candidate(Color.RED) is Color.BLUE')), { reward: 1 })
  t.like(await grade('def f(c): return c', check('candidate(Color.RED) is Color.BLUE')), { reward: 0 })
})

run('objects of the prefix with slots, defaults and constants keep what they hold', async (t) => {
  const truth = (prefix: string, body: string) => ({
    ...{ import_prefix: prefix, entry_point: 'f' },
    test_code: `def check(candidate):\n    ${body.replaceAll('\n', '\n    ')}`,
  })
  const slots = "class P:\n  __slots__ = ('x', 'y')\n  def __init__(self, x, y): self.x, self.y = x, y"
  t.like(await grade('def f(p): return P(p.y, p.x)', truth(slots, 'assert candidate(P(1, 2)).x == 2')), { reward: 1 })
  t.like(await grade('def f(p): p.x = 5', truth(slots, 'p = P(1, 2)\ncandidate(p)\nassert p.x == 5')), { reward: 1 })
  const data = 'from dataclasses import dataclass\n@dataclass\nclass P:\n  x: int = 0\n  y: int = 0'
  t.like(await grade('def f(p): return P(p.y)', truth(data, 'assert candidate(P(1, 2)) == P(2)')), { reward: 1 })
  const node = 'class N:\n  value = 0\n  next = None\n  def __init__(self, value): self.value = value'
  const chained = 'def f(n):\n  n.next = N(n.value + 1)\n  return n'
  t.like(await grade(chained, truth(node, 'assert candidate(N(1)).next.value == 2')), { reward: 1 })
})

run('a program may close its output, or write it at its end', async (t) => {
  const seven = { inputs: [''], outputs: ['7'] }
  t.like(await grade('import sys\nprint(7)\nsys.stdout.close()', seven), { reward: 1 })
  t.like(await grade('import sys\nout = sys.stdout.detach()\nout.write(b"7")\nout.flush()', seven), { reward: 1 })
  t.like(await grade('import sys\nprint(7)\ndel sys.stdout', seven), { reward: 1 })
  const late =
    'import atexit, io, sys\nown, sys.stdout = sys.stdout, io.StringIO()\natexit.register(lambda: own.write(sys.stdout.getvalue()))\nprint(7)'
  t.like(await grade(late, seven), { reward: 1 })
})

run('what the tests make of a value is held to the memory limit', async (t) => {
  const small = grader({ limits: { memory: 256 * 2 ** 20 } })
  const verdict = await small('def f(x): return range(10**12)', { assert_case: ['assert list(f(7)) == [41]'] })
  t.is(verdict.reward, 0)
  t.regex(verdict.reason!, /MemoryError/)
})
