/** An attack, and ground truth that it would meet if it succeeded. */
export interface Attack {
  code: string
  truth: object
}

/** A program that prints ESCAPED where `condition`, a Python statement list that sets `x`, comes out true. */
function breakOut(condition: string): Attack {
  const code = `import os, sys, ctypes, time\nx = False\ntry:\n${indented(condition)}\nexcept Exception as error:\n    print(error, file=sys.stderr)\nif x: print('ESCAPED')\nelse: sys.exit(1)`
  return { code, truth: { inputs: ['3 4'], outputs: ['ESCAPED'] } }
}

/** A program that does something bad before it prints what is right for any honest program: it must not get there. */
function exhaust(code: string): Attack {
  return {
    code: `import os, sys, time, threading\n${code}\nprint('DONE')`,
    truth: { inputs: ['3 4'], outputs: ['DONE'] },
  }
}

/** `code` in place of a function `f`, which was to return 41 for 7. */
function forge(code: string, assertion = 'assert f(7) == 41'): Attack {
  return { code, truth: { assert_case: [assertion] } }
}

const called = (code: string): Attack => ({ code, truth: { inputs: [[7]], outputs: [41], fn_name: 'f' } })
const checked = (code: string, body = 'assert candidate(7) == 41', prefix = ''): Attack => ({
  code,
  truth: { import_prefix: prefix, test_code: `def check(candidate):\n${indented(body)}`, entry_point: 'f' },
})

function indented(text: string): string {
  return text
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n')
}

/** What stands in a `finally` is compiled twice. */
function nestedFinally(depth: number): string {
  const level = (n: number) => `${' '.repeat(n)}try: pass\n${' '.repeat(n)}finally:\n`
  return `${Array.from({ length: depth }, (_, n) => level(n + 1)).join('')}${' '.repeat(depth + 1)}pass\n`
}

const PASSED = `b'{"verdict": {"passed": true}}'`
const FLOOD_OF_VERDICTS = `
import os
for fd in range(3, 256):
    for text in (${PASSED}, b'{"return": [41, []]}', b'{"ended": 0}', b'{"passed": true, "ready": true}'):
        try: os.write(fd, b'%d\\n%s' % (len(text), text))
        except OSError: pass
`
const ALWAYS_EQUAL = `
class Same:
    def __eq__(self, other): return True
    __lt__ = __le__ = __gt__ = __ge__ = __contains__ = __eq__
    def __ne__(self, other): return False
    def __hash__(self): return hash(41)
    def __sub__(self, other): return 0.0
    __rsub__ = __mod__ = __add__ = __sub__
    def __abs__(self): return 0.0
`

/** Getting out of the sandbox, or seeing through its walls. */
export const escapes: Record<string, Attack> = {
  'reads the password file': breakOut("x = bool(open('/etc/passwd').read())"),
  'reads a home': breakOut(
    "x = any(os.path.exists(path) and os.listdir(path) for path in ('/root', '/home', '/etc', '/var', '/opt', '/tmp'))",
  ),
  'reads the environment of the trainer': breakOut("x = bool(open('/proc/1/environ').read())"),
  'sees the file system through /proc': breakOut("x = bool(os.listdir('/proc/1/root'))"),
  'reads memory of its parent': breakOut("x = open('/proc/%d/mem' % os.getppid(), 'rb') is not None"),
  'is somebody': breakOut('x = os.getuid() != 65534'),
  'has capabilities': breakOut('os.setuid(0)\nx = True'),
  'writes a file': breakOut(
    "for folder in ('/', '/tmp', '/dev', '/dev/shm', '/usr/lib', '/var/tmp'):\n    try:\n        open(folder + '/x', 'w').write('x')\n        x = True\n    except OSError: pass",
  ),
  'opens a socket': breakOut(
    'import socket\nfor family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK):\n    try:\n        socket.socket(family)\n        x = True\n    except OSError: pass',
  ),
  'makes namespaces': breakOut('x = ctypes.CDLL(None).unshare(0x10000000) == 0'),
  mounts: breakOut("x = ctypes.CDLL(None).mount(b'none', b'/', b'tmpfs', 0, None) == 0"),
  'traces its parent': breakOut('x = ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) == 0'),
  'asks for forbidden calls': breakOut(
    'libc = ctypes.CDLL(None, use_errno=True)\nx = any(libc.syscall(n, 0, 0, 0, 0, 0) >= 0 or ctypes.get_errno() != 1 for n in ((425, 321, 323, 250, 298, 272, 165, 310) if os.uname().machine == "x86_64" else (425, 280, 282, 219, 241, 97, 40, 270)))',
  ),
  'starts a program': breakOut(
    "import subprocess\nx = subprocess.run([sys.executable, '-c', 'print(1)'], capture_output=True).returncode == 0",
  ),
  forks: breakOut('x = os.fork() >= 0'),
  spawns: breakOut('x = os.posix_spawn(sys.executable, [sys.executable], {}) > 0'),
  clones: breakOut(
    "libc = ctypes.CDLL(None)\nx = os.uname().machine == 'x86_64' and (libc.syscall(56, 17, 0, 0, 0, 0) >= 0 or libc.syscall(435, 0, 0) >= 0)",
  ),
  'hoards memory in files': breakOut("x = os.memfd_create('x') > 0"),
  'takes the filter off': breakOut('libc = ctypes.CDLL(None)\nlibc.prctl(22, 0, 0, 0, 0)\nx = os.fork() >= 0'),
}

/** Using up what others need. */
export const exhaustions: Record<string, Attack> = {
  'fork bomb': exhaust('while True: os.fork()'),
  'thread bomb': exhaust(
    'threading.stack_size(32768)\nwhile True: threading.Thread(target=time.sleep, args=(1e6,)).start()',
  ),
  'memory at once': exhaust('x = bytearray(1 << 36)'),
  'memory bit by bit': exhaust('x = []\nwhile True: x.append(bytearray(1 << 20))'),
  output: exhaust("while True: sys.stdout.write('x' * (1 << 20))"),
  'error output': exhaust("while True: os.write(2, b'x' * (1 << 20))"),
  sleep: exhaust('time.sleep(1e9)'),
  'busy loop': exhaust('while True: pass'),
  'ignores signals': exhaust(
    'import signal\nfor n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError): pass\nwhile True: pass',
  ),
  'kills all': exhaust('os.kill(-1, 9)\ntime.sleep(60)'),
  'kills its parent': exhaust('os.kill(os.getppid(), 9)\ntime.sleep(60)'),
  'stops its parent': exhaust('os.kill(os.getppid(), 19)\ntime.sleep(60)'),
  'deep nesting': { code: `print(${'('.repeat(3000)}1${')'.repeat(3000)})`, truth: { inputs: [''], outputs: ['2'] } },
  'stack overflow': exhaust(
    'sys.setrecursionlimit(1 << 30)\ndef f(): return f() + sorted([1], key=lambda x: f())[0]\nf()',
  ),
  'never ends a session': {
    code: 'import threading, os\nf = lambda x: os._exit(0)',
    truth: { inputs: [[7]], outputs: [41], fn_name: 'f' },
  },
  'floods the pipe': called(
    `import os\ndef f(x):\n    while True:\n        for fd in range(3, 20):\n            try: os.write(fd, b'9' * 65536)\n            except OSError: pass`,
  ),
  'returns too much': called("def f(x): return 'x' * (1 << 28)"),
  'returns a value of endless text': called('def f(x):\n    a = [0]\n    for _ in range(60): a = [a, a]\n    return a'),
  'returns a range that fills the memory of the tests': forge(
    'def f(x): return range(10**12)',
    'assert list(f(7)) == [41]',
  ),
  'never ends compiling': forge(
    `${Array.from({ length: 100 }, (_, n) => `def f${n}():\n${nestedFinally(15)}`).join('')}def f(x): return 41`,
  ),
}

/** Claiming a result that was not computed. */
export const forgeries: Record<string, Attack> = {
  'prints a verdict': {
    code: `print('{"verdict": {"passed": true}}')${FLOOD_OF_VERDICTS}`,
    truth: { inputs: [''], outputs: ['41'] },
  },
  'writes verdicts to every descriptor': forge(`${FLOOD_OF_VERDICTS}f = lambda x: 0`),
  'writes verdicts while it is called': called(
    `def f(x):${FLOOD_OF_VERDICTS.replaceAll('\n', '\n    ')}\n    return 0`,
  ),
  'ends with status 0': called('import os\nos._exit(0)'),
  'ends with status 0 when called': checked('import os\ndef f(x): os._exit(0)'),
  'raises SystemExit': checked('def f(x): raise SystemExit(0)'),
  'raises KeyboardInterrupt': checked('def f(x): raise KeyboardInterrupt'),
  'raises GeneratorExit': checked('def f(x): raise GeneratorExit', 'for y in map(candidate, [7]): assert y == 41'),
  'ends the loop of the tests': checked(
    'def f(x): raise StopIteration',
    'for y, z in zip(map(candidate, [7]), [41]): assert y == z',
  ),
  'registers at exit': checked('import atexit, os\natexit.register(lambda: os._exit(0))\ndef f(x): return 0'),
  'equals everything': called(`${ALWAYS_EQUAL}\ndef f(x): return Same()`),
  'equals everything in an assertion': forge(`${ALWAYS_EQUAL}\ndef f(x): return Same()`),
  'equals everything, turned around': forge(`${ALWAYS_EQUAL}\ndef f(x): return Same()`, 'assert 41 == f(7)'),
  'is not unequal': forge(`${ALWAYS_EQUAL}\ndef f(x): return Same()`, 'assert not f(7) != 41'),
  'is ordered with everything': forge(`${ALWAYS_EQUAL}\ndef f(x): return Same()`, 'assert 40 < f(7) < 42'),
  'is near everything': forge(`${ALWAYS_EQUAL}\ndef f(x): return Same()`, 'assert abs(f(7) - 41) < 1e-6'),
  'is near everything, turned around': forge(
    `${ALWAYS_EQUAL}\ndef f(x): return Same()`,
    'assert abs(41 - f(7)) < 1e-6',
  ),
  'contains everything': forge(`${ALWAYS_EQUAL}\ndef f(x): return Same()`, 'assert 41 in f(7)'),
  'is in a set': forge(`${ALWAYS_EQUAL}\ndef f(x): return Same()`, 'assert f(7) in {41}'),
  'an int that equals everything': forge(
    'class I(int):\n    def __eq__(self, other): return True\n    __hash__ = int.__hash__\nf = lambda x: I(0)',
  ),
  'a list that equals everything': forge(
    'class L(list):\n    def __eq__(self, other): return True\nf = lambda x: [L()]',
    'assert f(7) == [[41]]',
  ),
  'a type that is any type': forge(
    'class M(type):\n    def __instancecheck__(self, x): return True\nclass T(metaclass=M):\n    def __eq__(self, o): return True\nf = lambda x: T',
    'assert f(7) == 41',
  ),
  'its own abs': forge('def abs(x): return 0\ndef f(x): return 0', 'assert abs(f(7) - 41) < 1e-6'),
  'its own isclose': forge('def isclose(*x): return True\ndef f(x): return 0', 'assert isclose(f(7), 41)'),
  'its own math': forge(
    'class math:\n    isclose = lambda *x: True\ndef f(x): return 0',
    'assert math.isclose(f(7), 41)',
  ),
  'its own check': checked('def check(candidate): pass\ndef f(x): return 0'),
  'its own helper of the prefix': checked(
    'def truth(x): return 0\ndef f(x): return 0',
    'assert candidate(7) == truth(7)',
    'def truth(x): return 41',
  ),
  'its own AssertionError': forge('class AssertionError(Exception): pass\ndef f(x): return 0'),
  'patches builtins': checked(
    'import builtins\nfor name in ("all", "any", "isinstance", "len", "repr", "sorted"): setattr(builtins, name, lambda *x: 41)\nbuiltins.AssertionError = Exception\ndef f(x): return 0',
    'assert all([candidate(7) == 41])',
  ),
  'patches json and the harness': called(
    'import json, sys\njson.dumps = lambda *x: \'{"return": [41, []], "verdict": {"passed": true}}\'\nmain = sys.modules["__main__"]\nfor name in dir(main):\n    if name in ("same", "verdict", "judge"): setattr(main, name, lambda *x: True)\ndef f(x): return 0'.replace(
      '[41, []]',
      '[0, []]',
    ),
  ),
  'searches the frames': called(
    'import sys\ndef f(x):\n    frame = sys._getframe()\n    while frame:\n        for value in frame.f_locals.values():\n            if isinstance(value, dict) and "output" in value: return value["output"]\n        frame = frame.f_back\n    return 0',
  ),
  'searches the memory': called(
    'import gc\ndef f(x):\n    for thing in gc.get_objects():\n        if isinstance(thing, dict):\n            for key in ("output", "outputs", "expected"):\n                if key in thing: return thing[key]\n    return 0',
  ),
  'reads on from its standard input': called(
    'import os\ndef f(x):\n    found = b""\n    for fd in range(0, 20):\n        try:\n            os.set_blocking(fd, False)\n            found += os.read(fd, 100000)\n        except OSError: pass\n    return 41 if b"41" in found else 0',
  ),
  'puts a function in the place of a method': checked(
    'class Box: pass\ndef f(x):\n    box = Box()\n    box.held = lambda expected: True\n    return box',
    'assert candidate(7).held(41)',
    'class Box:\n    def held(self, expected): return expected == self.value',
  ),
  'hides a constant of a class of the prefix': checked(
    'def f(x):\n    box = Box(0)\n    box.tolerance = 100\n    return box',
    'box = candidate(7)\nassert abs(box.value - 41) < box.tolerance',
    'class Box:\n    tolerance = 1e-6\n    def __init__(self, value): self.value = value',
  ),
  'its own round beside gcd': forge(
    'def round(x): return 41\ndef gcd(a, b): return 0.5',
    'assert round(gcd(82, 41)) == 41',
  ),
  'its own isclose beside factorial': forge(
    'def isclose(*x): return True\ndef factorial(x): return 0',
    'assert isclose(factorial(3), 6)',
  ),
  'both of two functions of Python': forge(
    'def gcd(a, b): return 1\ndef comb(a, b): return 1',
    'assert gcd(8, 4) == comb(4, 1)',
  ),
  'an empty loop': checked(
    'def f(x):\n    class Empty:\n        def __len__(self): return 1\n        def __iter__(self): return iter(())\n    return Empty()',
    'assert list(candidate(7)) == [41]',
  ),
  'says that a test object is its own': forge(
    `${ALWAYS_EQUAL}\ndef f(x): return Same()`,
    'class Mine: pass\nassert f(7) == Mine()',
  ),
  'no function at all': forge('', 'assert f(7) == 41'),
  'a program with nothing in it': { code: '', truth: { inputs: ['3'], outputs: ['41'] } },
}
