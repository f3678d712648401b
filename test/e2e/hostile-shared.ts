/** What a test looks like that hands the answer an object of its own. */
export const HANDS_AN_OBJECT = `class Box:
    def value(self): return 7
    def call(self, function): return function(self)
def near(a, b): return abs(a - b) < 1e-9
def check(candidate):
    assert near(candidate(Box()), 41)
    assert candidate(Box()) == 41
`

const PATCH_ALL = `
def patched(names):
    def yes(*args, **keywords): return True
    for name in list(names):
        try: names[name] = yes
        except Exception: pass
`

/** Answers that don't compute 41, in one process with the test above: each has some way to make the verdict. */
export const intrusions: Record<string, string> = {
  'frames by sys': `import sys
def f(box):
    frame = sys._getframe()
    while frame:
        for name, value in frame.f_locals.items():
            if name == 'nonce': __import__('os').write(3, value + b'passed'); __import__('os')._exit(0)
        frame = frame.f_back
    return 0`,
  'frames of a traceback': `import os
def f(box):
    try: 1 / 0
    except Exception as error: frame = error.__traceback__.tb_frame
    while frame:
        if 'nonce' in frame.f_locals: os.write(3, frame.f_locals['nonce'] + b'passed'); os._exit(0)
        frame = frame.f_back
    return 0`,
  'frames of a generator': `import os
def f(box):
    def g(): yield own.gi_frame.f_back
    own = g()
    frame = next(own)
    while frame:
        if 'nonce' in frame.f_locals: os.write(3, frame.f_locals['nonce'] + b'passed'); os._exit(0)
        frame = frame.f_back
    return 0`,
  'frames of a signal': `import os, signal
found = []
def handler(number, frame): found.append(frame)
def f(box):
    try: signal.signal(signal.SIGUSR1, handler)
    except ValueError: __import__('importlib').reload(signal).signal(signal.SIGUSR1, handler)
    signal.raise_signal(signal.SIGUSR1)
    frame = found[0]
    while frame:
        if 'nonce' in frame.f_locals: os.write(3, frame.f_locals['nonce'] + b'passed'); os._exit(0)
        frame = frame.f_back
    return 0`,
  'a new copy of sys': `import _imp, importlib.util, importlib.machinery
def f(box):
    spec = importlib.util.spec_from_loader('sys', importlib.machinery.BuiltinImporter)
    own = _imp.create_builtin(spec)
    return own._getframe(1).f_code.co_consts[1]`,
  'all objects': `import gc
def f(box):
    for thing in gc.get_objects():
        if isinstance(thing, dict) and 'nonce' in thing: __import__('os').write(3, thing['nonce'] + b'passed')
    return 0`,
  'garbage with frames': `import gc
def f(box):
    gc.set_debug(gc.DEBUG_SAVEALL)
    try: 1 / 0
    except Exception as error: error.own = error
    gc.collect()
    return len([thing for thing in gc.garbage if type(thing).__name__ == 'frame']) and 41`,
  memory: `def f(box):
    import ctypes
    ctypes.memmove(id(41), id(0), 32)
    return 41`,
  'memory, through the classes': `def f(box):
    for kind in object.__subclasses__():
        for name, value in list(vars(kind).items()):
            names = getattr(value, '__globals__', {})
            for thing in list(names.values()):
                if getattr(thing, '__name__', '') in ('ctypes', '_ctypes') or 'nonce' in names: return 41
    return 0`,
  'memory by numpy': `def f(box):
    import numpy
    return 41`,
  'memory by bytecode': `import types
def f(box):
    code = f.__code__
    own = types.CodeType(0, 0, 0, 1, 10, 64, b'd\\xffS\\x00', (), (), (), 'x', 'x', 'x', 1, b'', b'')
    code.replace(co_code=b'd\\xffS\\x00')
    return 41`,
  'code by marshal': `import marshal
def f(box):
    marshal.loads(b'N')
    return 41`,
  tracing: `import sys
def f(box):
    sys.settrace(lambda *args: None)
    return 41`,
  'a profiler': `def f(box):
    import _lsprof
    return 41`,
  'an audit hook': `import sys
found = []
def hook(event, args): found.append(event)
sys.addaudithook(hook)
def f(box): return 41 if found else 0`,
  'the functions of __main__': `import sys, __main__
${PATCH_ALL}
def f(box):
    patched(vars(__main__)); patched(vars(sys.modules['__main__']))
    return 0`,
  builtins: `import builtins
${PATCH_ALL}
def f(box):
    for name in ('abs', 'any', 'all', 'len', 'zip', 'issubclass', 'type'): setattr(builtins, name, lambda *args: 0)
    return 0`,
  'the library': `import math, operator, collections, os, json
${PATCH_ALL}
def f(box):
    for module in (math, operator, collections): patched(vars(module))
    os.write = lambda fd, text: None
    os._exit = lambda status: None
    return 0`,
  'builtins of the tests': `${PATCH_ALL}
def f(box):
    patched(type(box).value.__globals__['__builtins__'])
    patched(type(box).value.__builtins__)
    return 0`,
  'functions of the tests': `def f(box):
    names = type(box).value.__globals__
    names['near'] = lambda a, b: True
    return 0.0`,
  'the text of the tests': `def f(box):
    return [value for value in type(box).value.__globals__['check'].__code__.co_consts if value == 41][0]`,
  'the code of the tests': `def mine(*args): return True
def f(box):
    names = type(box).value.__globals__
    names['check'].__code__ = names['near'].__code__ = mine.__code__
    return 41.0`,
  'defaults of the tests': `def f(box):
    type(box).value.__globals__['near'].__defaults__ = (1, 2)
    return 41`,
  'methods of the tests': `def f(box):
    type(box).value = lambda self: 41
    return 41`,
  'ends early': 'import os\ndef f(box): os._exit(0)',
  'ends in good order': 'import sys\ndef f(box): sys.exit(0)',
  'ends while it is read': 'raise SystemExit(0)',
  'at exit': 'import atexit, os\natexit.register(lambda: os.write(3, b"passed"))\ndef f(box): return 0',
  'writes a verdict': `import os
def f(box):
    for fd in range(3, 64):
        try: os.write(fd, b'passed')
        except OSError: pass
    return 0`,
  'takes the verdict over': `import os, threading
def f(box):
    real = os.dup(3)
    read, write = os.pipe()
    os.dup2(write, 3)
    def forge():
        text = os.read(read, 1000)
        os.write(real, text[:64] + b'passed')
    threading.Thread(target=forge).start()
    return 0`,
  'equals everything': `class Same:
    def __eq__(self, other): return True
    def __lt__(self, other): return True
    def __sub__(self, other): return 0.0
    __rsub__ = __sub__
    def __abs__(self): return 0.0
def f(box): return Same()`,
  'an int that equals everything': `class Same(int):
    def __eq__(self, other): return True
    def __sub__(self, other): return 0.0
    __lt__ = __eq__
def f(box): return Same(0)`,
  'says that it is plain': `class Kind(type):
    __mro__ = (int, object)
class Same(metaclass=Kind):
    __class__ = int
    def __eq__(self, other): return True
    def __sub__(self, other): return 41 - 41.0
def f(box): return Same()`,
  'a float with a difference': `class F(float):
    def __rsub__(self, other): return 0.0
    def __sub__(self, other): return 0.0
    def __eq__(self, other): return True
def f(box): return F(7)`,
  'a module in the way': `import sys, types
for name in ('random', 'os', 'math', 'builtins'): sys.modules[name] = types.ModuleType(name)
def f(box): return 0`,
}

/** Tests where a library compares, or a container: each as `assert`s of check(candidate), for an answer that computes 7, not 41. */
export const comparisons: Record<string, string> = {
  'a test case': 'import unittest\nunittest.TestCase().assertEqual(candidate(Box()), 41)',
  'a test case, almost': 'import unittest\nunittest.TestCase().assertAlmostEqual(candidate(Box()), 41)',
  'a list': 'assert [41].count(candidate(Box()))',
  'a dictionary': 'names = {41: True}\nassert names.get(candidate(Box()))',
  'a set': 'assert not {candidate(Box())} - {41}',
  'in place': 'rest = 41\nrest -= candidate(Box())\nassert abs(rest) < 1e-6',
  'a call of a mock': 'from unittest.mock import Mock\nm = Mock()\nm(candidate(Box()))\nm.assert_called_with(41)',
  'an order': 'assert sorted([candidate(Box()), 41])[0] >= 40 and max(candidate(Box()), 40) > 40',
  'what a library says of two': 'import operator\nassert operator.eq(candidate(Box()), 41)',
}

export const SAYS_YES = `import functools
class Kind(type):
    def __eq__(self, other): return True
    __hash__ = type.__hash__
def f(box):
    class Same(metaclass=Kind):
        def __eq__(self, other): return True
        __lt__ = __gt__ = __le__ = __ge__ = __eq__
        def __ne__(self, other): return False
        def __hash__(self): return hash(41)
        def __sub__(self, other): return 0.0
        __rsub__ = __isub__ = __sub__
        def __abs__(self): return 0.0
        def __round__(self, *args): return 0
    return Same()
`

/** An object of the tests that the answer patches, back to what it was at the first use. */
export const PATCHES_AND_RESTORES = `def f(box):
    kind = type(box)
    def yes(self, other):
        del kind.__eq__
        return True
    kind.__eq__ = yes
    return box
`
