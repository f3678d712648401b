# What of shared.py runs once the answer does. Everything it needs it holds by then: no global name, no attribute of a
# module is looked up after the answer has begun. CALLING is the text of calling.py.
import ast, builtins, operator, os, random, sys, types  # fmt: skip

PLACEHOLDER = f'\0{os.urandom(8).hex()}'
PLAIN = (str, int, float, complex, list, tuple, dict, set, frozenset, bytes, bytearray)
OPERATORS = {
    **{'Add': operator.add, 'Sub': operator.sub, 'Mult': operator.mul, 'Div': operator.truediv, 'FloorDiv': operator.floordiv},
    **{'Mod': operator.mod, 'Pow': operator.pow, 'MatMult': operator.matmul, 'BitAnd': operator.and_, 'BitOr': operator.or_},
    **{'BitXor': operator.xor, 'LShift': operator.lshift, 'RShift': operator.rshift},
    **{'Lt': operator.lt, 'LtE': operator.le, 'Gt': operator.gt, 'GtE': operator.ge},
}


def judge_for(trusted, judged, intact):
    """Comparing as across the wall: an object of the answer equals no plain data, and has no say about it."""
    mro_of = type.__dict__['__mro__'].__get__
    operators = dict(OPERATORS)

    def alien(value):
        kind = type(value)
        return kind not in trusted and any(one not in trusted for one in mro_of(kind))

    def plain(value):
        """What an instance of a class that derives from a plain type is to the tests: the plain value in it."""
        kind = type(value)
        if kind in trusted and kind not in counters:
            return value
        for base in PLAIN:
            if issubclass(kind, base):
                return base(getters[base](value))
        return value

    getters = {
        **{str: str.__str__, int: int.__int__, float: float.__float__, complex: complex.__complex__ if hasattr(complex, '__complex__') else complex},
        **{list: list.__iter__, tuple: tuple.__iter__, dict: dict.items, set: set.__iter__, frozenset: frozenset.__iter__},
        **{bytes: lambda value: bytes.__getitem__(value, slice(None)), bytearray: lambda value: bytearray.__getitem__(value, slice(None))},
    }
    import collections

    counters = {collections.Counter, collections.OrderedDict, collections.defaultdict}

    def equal(one, other):
        if type(one) is type(other) is collections.OrderedDict:
            one, other = list(one.items()), list(other.items())
        one, other = plain(one), plain(other)
        strange = alien(one), alien(other)
        if all(strange):
            judged.append(True)
            return (one == other) is True
        if any(strange):
            return False
        kind = type(one)
        if kind in (list, tuple):
            return kind is type(other) and len(one) == len(other) and all(a is b or equal(a, b) for a, b in zip(one, other))
        if kind is dict:
            if type(other) is not dict or len(one) != len(other) or any(alien(key) for held in (one, other) for key in held):
                return False
            return all(key in other and (value is other[key] or equal(value, other[key])) for key, value in one.items())
        if kind in (set, frozenset):
            if type(other) not in (set, frozenset) or any(alien(entry) for held in (one, other) for entry in held):
                return False
        return one == other

    def contains(held, wanted):
        held = plain(held)
        if type(held) in (str, bytes, bytearray, range):
            return not alien(plain(wanted)) and plain(wanted) in held
        return any(value is wanted or equal(value, wanted) for value in held)

    def one_pair(name, one, other):
        if name in ('Is', 'IsNot'):
            return (one is other) is (name == 'Is')
        if name == 'Eq':
            return equal(one, other)
        if name == 'NotEq':
            # an array is unequal to another by elements
            result = equal(one, other)
            return not result if type(result) is bool else plain(one) != plain(other)
        if name in ('In', 'NotIn'):
            return contains(other, one) is (name == 'In')
        return combine(name, one, other)

    def combine(name, one, other):
        one, other = plain(one), plain(other)
        strange = alien(one), alien(other)
        result = operators[name](one, other)
        if any(strange) and not all(strange) and not alien(result):
            raise TypeError('an object of the answer, combined with plain data of the tests, can only be compared with another object')
        return result

    def compare(names, *values):
        if not intact():
            raise RuntimeError('the answer has changed what the tests use')
        result = True
        for name, one, other in zip(names, values, values[1:]):
            result = one_pair(name, one, other)
            if not result:
                return result
        return result

    return compare, combine


def bound_names(tree):
    """The names that a text binds, but for those that it imports."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            found.update(node.names)
        elif not isinstance(node, ast.alias) and isinstance(getattr(node, 'name', None), str):
            found.add(node.name)  # functions, classes, exceptions, captures
    return found


def imports(tree, modules):
    """What a text imports, by the names that it gives it; None where it is not here."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.name if alias.asname else alias.name.partition('.')[0]
                yield alias.asname or name, modules.get(name)
        elif isinstance(node, ast.ImportFrom) and node.names[0].name != '*':
            for alias in node.names:
                yield alias.asname or alias.name, vars(modules[node.module]).get(alias.name) if node.module in modules else None


def rewritten(tree, constants, compare, combine, register):
    """The tests with each comparison and each operator through the guard, and with the library's names as constants."""
    objects = []

    def constant(value):
        objects.append(value)
        return ast.Constant(f'{PLACEHOLDER}{len(objects) - 1}')

    def value_of(node):
        """What a constant stands for; itself for any other part of the text."""
        known = isinstance(node, ast.Constant) and type(node.value) is str and node.value.startswith(PLACEHOLDER)
        return objects[int(node.value[len(PLACEHOLDER) :])] if known else node

    def visit(node):
        if type(node).__name__.startswith('Match') and type(node).__name__ != 'Match':
            return node
        for field, old in ast.iter_fields(node):
            if isinstance(old, list):
                old[:] = [visit(part) if isinstance(part, ast.AST) else part for part in old]
            elif isinstance(old, ast.AST):
                setattr(node, field, visit(old))
        new = node
        if isinstance(node, ast.Compare):
            names = ast.Tuple([ast.Constant(type(op).__name__) for op in node.ops], ast.Load())
            new = ast.Call(constant(compare), [names, node.left, *node.comparators], [])
        elif isinstance(node, ast.BinOp):
            new = ast.Call(constant(combine), [ast.Constant(type(node.op).__name__), node.left, node.right], [])
        elif isinstance(node, ast.ClassDef):
            node.decorator_list.insert(0, constant(register))
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in constants:
            new = constant(constants[node.id])
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            module = value_of(node.value)
            if type(module) is types.ModuleType and callable(getattr(module, node.attr, None)):
                new = constant(getattr(module, node.attr))
        return new if new is node else ast.copy_location(new, node)

    return ast.fix_missing_locations(visit(tree)), objects


def with_objects(code, objects):
    def real(value):
        if type(value) is str and value.startswith(PLACEHOLDER):
            return objects[int(value[len(PLACEHOLDER) :])]
        if type(value) in (tuple, frozenset):
            return type(value)(map(real, value))
        return with_objects(value, objects) if type(value) is types.CodeType else value

    return code.replace(co_consts=tuple(map(real, code.co_consts)))


GENERATORS = 0x20 | 0x80 | 0x200  # CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR


def prepare(setup, library, trusted):
    """@returns the namespace of the tests, and what runs the answer and them"""
    judged, modules = [], {}
    calling = {'__builtins__': dict(vars(builtins)), 'KNOWN': set(trusted)}
    exec(CALLING, calling)
    guarded, tame_classes = calling['guarded'], calling['tame_classes']
    for name, module in list(sys.modules.items()):
        if type(module) is types.ModuleType and name not in ('sys', 'builtins'):  # whose streams and input tests replace
            copy = modules[name] = types.ModuleType(name)
            copy.__dict__.update(module.__dict__)

    own = dict(vars(builtins))
    originals = []

    def register(made):
        """A class of the tests."""
        if isinstance(made, type):
            trusted.add(made)
            calling['KNOWN'].add(made)
            originals.append((made, {name: value for name, value in vars(made).items() if callable(value)}))
        return made

    def intact():
        """Whether the tests are what they were, for the answer has had objects of theirs."""
        if len(own) != len(builtin) or any(own.get(name) is not value for name, value in builtin.items()):
            return False
        for made, held in originals:
            now = {name: value for name, value in vars(made).items() if callable(value)}
            if len(now) != len(held) or any(now.get(name) is not value for name, value in held.items()):
                return False
        return True

    compare, combine = judge_for(trusted, judged, intact)
    held = {name: modules.get(value.__name__, value) if type(value) is types.ModuleType else value for name, value in library.items()}
    namespace = {'__name__': 'tests', '__builtins__': own, **held}
    builtin = dict(own)

    tree = ast.parse(setup['source'])
    for i, node in enumerate(tree.body):
        if isinstance(node, ast.Expr) and isinstance(node.value, (ast.Compare, ast.BoolOp, ast.UnaryOp)):
            tree.body[i] = ast.copy_location(ast.Assert(node.value, None), node)
    wanted, entry = setup['wanted'], setup.get('entry_point')
    bound = bound_names(tree) | set(wanted) | {'super', 'locals', 'globals', 'vars', 'dir', 'eval', 'exec'}
    imported = dict(imports(tree, modules))
    known = {name: value for name, value in {**own, **held, **imported}.items() if name not in bound}
    constants = {name: value for name, value in known.items() if callable(value) or type(value) is types.ModuleType}
    tree, objects = rewritten(tree, constants, compare, combine, register)
    code = with_objects(compile(tree, 'tests', 'exec', dont_inherit=True), objects)
    candidate = None if entry is None else compile(entry, 'tests', 'eval', dont_inherit=True)
    tests = types.FunctionType(code, namespace)
    root = setup['root']
    lines = setup['source'].split('\n')
    function, plain_function = types.FunctionType, lambda value: type(value) is function and not value.__code__.co_flags & GENERATORS

    def firm(value):
        return guarded(value) if plain_function(value) or type(value) is types.MethodType and plain_function(value.__func__) else value

    write, leave, run, evaluate, seed, encode = os.write, os._exit, exec, eval, random.seed, str.encode

    def fail(reason, result):
        write(result, encode(reason[:300], 'utf-8', 'replace'))
        leave(0)

    def reason_of(error):
        if type(error) is AssertionError:
            trace, number = error.__traceback__, None
            while trace is not None:
                trace, number = trace.tb_next, trace.tb_lineno if number is None or trace.tb_next is None else number
            return 'assertion failed' if not 0 < number <= len(lines) else f'assertion failed: {lines[number - 1].strip()[:200]}'
        try:
            return f'{type(error).__name__}: {error}'
        except BaseException:
            return 'an exception'

    def go(answer, names, result, nonce):
        passed, and_judged = nonce + b'passed', nonce + b'judged'
        try:
            run(answer, names)
            tame_classes()
            if not any(name in names for name in wanted):
                fail(f'the answer defines no {" and no ".join(wanted) or "name that the tests use"}', result)
            for name in wanted:
                namespace.pop(name, None)
                if name in names:
                    namespace[name] = firm(names[name])
            seed(0)
            tests()
            if entry is not None:
                check = namespace.get('check')
                if root not in names:
                    fail(f'the answer defines no {root}', result)
                made = {name: value for name, value in namespace.items() if type(value) is function}
                check(firm(evaluate(candidate, {**namespace, root: names[root]})))
                if any(namespace.get(name) is not value for name, value in made.items()):
                    fail('the answer has changed what the tests use', result)
            if not intact():
                fail('the answer has changed what the tests use', result)
        except BaseException as error:
            fail(reason_of(error), result)
        # only now: whoever has taken the descriptor over learns it too late
        write(result, and_judged if judged else passed)
        leave(0)

    return {'namespace': namespace, 'go': go}
