# The tests' side: runs what the data set wrote, and compares. A fork for each test, so that none can disturb the next.
# After wire.py, sharing.py, remote.py; PRELUDE is the text of prelude.py.
import ast
import random
import resource
import symtable

CONTROL_IN, CONTROL_OUT = 0, 1
LIBRARY = ('math', 'itertools', 'functools', 'collections', 'heapq', 'bisect', 'copy', 'random', 'string')


class BrokenTest(Exception):
    """The row is at fault, not the answer."""


def used_names(source):
    """The global names that a text uses and does not make itself."""
    try:
        top = symtable.symtable(source, 'tests', 'exec')
    except SyntaxError as error:
        raise BrokenTest(f'its tests are no Python: {error}') from None
    used, made, scopes = set(), set(), [top]
    while scopes:
        scope = scopes.pop()
        scopes.extend(scope.get_children())
        for symbol in scope.get_symbols():
            if scope is top and (symbol.is_assigned() or symbol.is_imported()):
                made.add(symbol.get_name())
            if symbol.is_referenced() and (scope is top or symbol.is_global()):
                used.add(symbol.get_name())
    return used - made


def under_test(used, known, entry):
    """
    Which names come from the answer. Never one that the tests have from elsewhere: an answer that defines its own `abs`
    or `isclose` would judge itself. Only where the tests use no other name is a function of Python's the one under test, and only where it is clear which.
    """
    own = used - known
    if entry is not None or own:
        return own | {entry} - {None}
    found = {name for name in used & known if name not in HELPERS} or used & known
    return found if len(found) == 1 else set()


# What tests compare by: under test only where they use nothing else.
HELPERS = {
    *('abs', 'all', 'any', 'bool', 'dict', 'enumerate', 'float', 'frozenset', 'hasattr', 'int', 'isinstance', 'issubclass', 'iter', 'len', 'list'),
    *('map', 'max', 'min', 'next', 'print', 'range', 'repr', 'reversed', 'round', 'set', 'sorted', 'str', 'sum', 'tuple', 'type', 'zip', 'callable'),
    *('isclose', 'copy', 'deepcopy', 'Counter', 'OrderedDict', 'defaultdict', 'deque', 'inf', 'chain', 'product', 'permutations', 'combinations'),
    *(name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, BaseException)),
    *('math', 're', 'random', 'string', 'itertools', 'functools', 'collections', 'heapq', 'bisect', 'json', 'operator', 'sys', 'os'),
}


class Proxies:
    """The names of the answer that a text uses, as a namespace to run it in."""

    def __init__(self, source, prefix, entry):
        self.namespace = {'__name__': 'tests', '__builtins__': builtins}
        prelude = {'__builtins__': builtins}
        exec(PRELUDE, prelude)
        for module in LIBRARY:
            for name, value in vars(prelude[module]).items():
                if not name.startswith('_'):
                    prelude.setdefault(name, value)
        self.namespace.update(prelude)
        before = dict(self.namespace)
        try:
            exec(prefix, self.namespace)
        except Exception as error:
            raise BrokenTest(f'its import_prefix fails: {type(error).__name__}: {error}') from None
        own = {name for name, value in self.namespace.items() if name not in before or before[name] is not value}
        used = used_names(source) - (own - {entry})
        self.wanted = sorted(under_test(used, set(prelude) | set(dir(builtins)), entry))
        self.classes = {name: self.namespace[name] for name in defined_classes(self.namespace)}

    def bind(self, link, names):
        for name in self.wanted:
            self.namespace.pop(name, None)
            if name not in names:
                continue
            kind, *detail = names[name]
            if kind == 'value':
                self.namespace[name] = link.unpack(detail[0])
            elif kind == 'exception':
                base = getattr(builtins, str(detail[0]), Exception)
                base = base if isinstance(base, type) and issubclass(base, Exception) else Exception
                link.exceptions[name] = self.namespace[name] = type(name, (base,), {})
            else:
                self.namespace[name] = Remote(link, ['n', name])
        return any(name in names for name in self.wanted)


def same(actual, expected):
    """Equality of plain data in which types count: a tuple is a list, an int may equal a float, True is no number."""
    if type(expected) is list:
        return (
            type(actual) in (list, tuple)
            and len(actual) == len(expected)
            and all(same(one, other) for one, other in zip(actual, expected))
        )
    if type(expected) is dict:
        return (
            isinstance(actual, dict)
            and actual.keys() == expected.keys()
            and all(same(actual[key], held) for key, held in expected.items())
        )
    if type(expected) in (int, float):
        return type(actual) in (int, float) and actual == expected
    return type(actual) is type(expected) and actual == expected


def read_json(text):
    try:
        return json.loads(text)
    except ValueError as error:
        raise BrokenTest(f'its input {text[:100]!r} is no JSON: {error}') from None


def arguments(test):
    """Arguments and expected result: as they are, or as JSON, one value a line."""
    given, expected = test['input'], test['output']
    if isinstance(given, str):
        given = [read_json(line) for line in given.split('\n') if line.strip()]
        if isinstance(expected, str):
            try:
                expected = json.loads(expected)
            except ValueError:
                pass
    return given, expected


def run_call(test, control):
    name = test['fn_name']
    given, expected = arguments(test)
    send(control[1], {'names': [name, 'Solution']})
    link = Link({}, *control)
    names = receive(control[0])
    if 'raise' in names:
        raise link.exception(*map(str, names['raise']))
    names = names['names']
    function = None
    if 'Solution' in names:
        try:
            function = ask('get', ask('call', Remote(link, ['n', 'Solution'])), name)
        except AttributeError:
            pass
    if function is None:
        if name not in names:
            return f'the answer defines no {name}'
        function = Remote(link, ['n', name])
    actual = link.ask('call', function, *given)
    if same(actual, expected):
        return None
    if type(actual) is Remote:
        return f'not {short(expected)} but an object'
    return f'{name}({", ".join(map(short, given))}) is {short(actual)}, not {short(expected)}'


def short(value):
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + '...'


def fields_of(trees):
    """Names of the attributes that texts assign."""
    nodes = (node for tree in trees for node in ast.walk(tree))
    return {node.attr for node in nodes if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load)}


def run_text(test, control):
    """assert_case and check(candidate)."""
    source, entry = test['source'], test.get('entry_point')
    try:
        root = None if entry is None else next(node.id for node in ast.walk(ast.parse(entry, mode='eval')) if type(node) is ast.Name)
    except (SyntaxError, StopIteration):
        raise BrokenTest(f'its entry_point {entry!r} is no name') from None
    proxies = Proxies(source, test['prefix'], root)
    tree, prefix, wanted = ast.parse(source), ast.parse(test['prefix']), set(proxies.wanted)
    test['setup'] = {'source': source, 'entry_point': entry, 'root': root, 'wanted': proxies.wanted, 'library': LIBRARY}
    if test['may_share'] and (reason := at_once(tree, wanted)):
        raise NeedsShared(reason)
    named = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    makes = test['may_share'] and makes_objects(tree, prefix, wanted)
    link = Link(proxies.classes, *control, makes, named, fields_of([tree, prefix]))
    send(control[1], {'names': proxies.wanted})
    names = receive(control[0])
    if 'raise' in names:
        raise link.exception(*map(str, names['raise']))
    test['needs'] = link.needs
    if not proxies.bind(link, names['names']):
        return f'the answer defines no {" and no ".join(proxies.wanted) or "name that the tests use"}'
    random.seed(0)
    exec(asserting(source), proxies.namespace)
    if entry is not None:
        if root not in names['names']:
            return f'the answer defines no {root}'
        if 'check' not in proxies.namespace:
            raise BrokenTest('its test_code defines no check(candidate)')
        candidate = eval(entry, {**proxies.namespace, root: Remote(link, ['n', root])})
        proxies.namespace['check'](candidate)
    return ['self-judged'] if link.self_judged else None


def asserting(source):
    """A comparison that stands alone is meant as an assertion."""
    tree = ast.parse(source)
    for i, node in enumerate(tree.body):
        if isinstance(node, ast.Expr) and isinstance(node.value, (ast.Compare, ast.BoolOp, ast.UnaryOp)):
            tree.body[i] = ast.copy_location(ast.Assert(node.value, None), node)
    return compile(ast.fix_missing_locations(tree), 'tests', 'exec')


def verdict(test, control):
    test['needs'] = []
    result = judged(test, control)
    if test['needs']:  # whatever has become of the exception
        return {'passed': False, 'reason': test['needs'][0], 'shared': test['setup']}
    return result


def judged(test, control):
    try:
        result = run_call(test, control) if 'fn_name' in test else run_text(test, control)
    except BrokenTest as error:
        return {'broken': str(error)}
    except (Gone, Closed):
        return {'passed': False, 'reason': "the answer's process ended"}
    except NeedsShared as need:
        test['needs'].append(need.args[0])
        return None
    except BaseException as error:
        return failed(error, test)
    if isinstance(result, str):
        return {'passed': False, 'reason': result[:300]}
    return {'passed': True, 'selfJudged': result is not None}


def failed(error, test):
    if isinstance(error, AssertionError):
        return {'passed': False, 'reason': f'assertion failed: {line_of(error, test)}'}
    return {'passed': False, 'reason': f'{type(error).__name__}: {error}'[:300]}


def line_of(error, test):
    trace, number = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == 'tests':
            number = trace.tb_lineno
        trace = trace.tb_next
    lines = test.get('source', '').split('\n')
    return lines[number - 1].strip()[:200] if number is not None and number <= len(lines) else str(error)[:200]


def main():
    exec(PRELUDE, {})  # imported once, for all forks
    send(CONTROL_OUT, {'up': True})
    while True:
        try:
            test = receive(CONTROL_IN)
        except Closed:
            return
        child = os.fork()
        if child == 0:
            control = os.dup(CONTROL_IN), os.dup(CONTROL_OUT)
            null = os.open('/dev/null', os.O_RDWR)
            for fd in (0, 1, 2):
                os.dup2(null, fd)
            # a small value can become a large text or list here
            resource.setrlimit(resource.RLIMIT_AS, (test['memory'], test['memory']))
            send(control[1], {'verdict': verdict(test, control)})
            os._exit(0)
        send(CONTROL_OUT, {'ended': os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])})
