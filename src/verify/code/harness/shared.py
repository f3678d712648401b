# An answer and its tests in one process, for tests that hand each other objects. The text of an exec: its names lie in a
# dictionary that no module and no class leads to, so that the answer can't reach them but by what SEALED closes.
# PRELUDE is the text of prelude.py, GUARD that of guard.py, CALLING that of calling.py.
import ast, builtins, gc, importlib, json, os, pkgutil, signal, sys, types  # fmt: skip

RESULT = 3
UNSAFE = {'ctypes', '_ctypes', '_xxsubinterpreters', '_interpreters', '_testcapi', '_testinternalcapi', '_lsprof', 'cProfile', 'faulthandler'}
FRAMES = {'tb_frame', 'gi_frame', 'cr_frame', 'ag_frame', 'f_code'}
CLOSED = {
    *('sys._getframe', 'sys._current_frames', 'sys._current_exceptions', 'sys.settrace', 'sys.setprofile', 'sys.addaudithook'),
    *('gc.get_objects', 'gc.get_referrers', 'gc.get_referents', 'code.__new__', 'marshal.loads', 'cpython.run_interactivehook'),
    *('sys.monitoring.register_callback', 'sqlite3.enable_load_extension', 'sqlite3.load_extension'),
}


def read_all(fd):
    parts = []
    while part := os.read(fd, 1 << 20):
        parts.append(part)
    os.close(fd)
    return b''.join(parts)


def roots(text):
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f'{node.module}.{alias.name}' for alias in node.names)}
    return found


def standard_modules():
    """First parts of the standard library's names that do no harm."""
    names = getattr(sys, 'stdlib_module_names', None)  # Python 3.10
    if names is None:
        folders = [path for path in sys.path if not path.endswith('-packages')]
        names = {module.name for module in pkgutil.iter_modules(folders)} | set(sys.builtin_module_names)
    return frozenset(names) - UNSAFE


def load(names):
    for name in names:
        try:
            importlib.import_module(name)
        except Exception:
            pass  # the text that asks for it will see for itself


def trusted_classes():
    found, pending = set(), [object]
    while pending:
        kind = pending.pop()
        if kind not in found:
            found.add(kind)
            pending.extend(type.__subclasses__(kind))
    return found


def detached(text, **names):
    """A function that leads to nothing of these programs."""
    made = {'__builtins__': {'ValueError': ValueError}, **names}
    exec(text, made)
    return next(value for value in made.values() if type(value) is types.FunctionType)


def seal(owned, modules):
    """From here on nobody gets at frames, at memory or at code of the tests; there is no way back in Python."""
    import _imp
    import _signal

    for name in ('create_builtin', 'exec_builtin'):
        delattr(_imp, name)
    signal.signal = _signal.signal = detached('def refuse(*args): raise ValueError("no handlers here")')  # they are given frames
    for name in ('get_objects', 'get_referrers', 'get_referents', 'set_debug', 'garbage', 'callbacks'):
        delattr(gc, name)
    code = types.SimpleNamespace(co_name='', co_filename='answer.py')
    frame = types.SimpleNamespace(f_globals={'__name__': 'answer'}, f_locals={}, f_back=None, f_lineno=0, f_code=code)
    sys._getframe = detached('def only(depth=0): return frame', frame=frame)
    sys.implementation.cache_tag = None  # from here on modules are compiled from their sources
    sys.modules['__main__'] = types.ModuleType('__main__')
    function = types.FunctionType

    def audit(event, args, closed=frozenset(CLOSED), frames=frozenset(FRAMES), type=type, id=id):
        if event in closed or event[:7] == 'ctypes.':
            raise PermissionError(event)
        if event == 'import' and args[0].partition('.')[0] not in modules:
            raise ImportError(args[0])
        if event[:9] == 'object.__' and (args[1] in frames or type(args[0]) is function and id(args[0].__globals__) in owned):
            raise PermissionError(event)

    sys.addaudithook(audit)


def main():
    setup = json.loads(read_all(0))
    source, prefix, nonce = setup['source'], setup['prefix'], setup['nonce'].encode()
    sys.path[:] = setup['modules']
    os.open('/dev/null', os.O_RDWR)  # standard input again
    builtins.exit = builtins.quit = sys.exit
    common = {}
    exec(PRELUDE, common)
    common.pop('__builtins__')
    standard = standard_modules()
    asked = roots(source) | roots(prefix)
    answers = {name for name in roots(setup['code']) if name.partition('.')[0] in standard}
    useful = {'_strptime', 'datetime', 'decimal', 'fractions', 'statistics', 'io', 'time', 'dataclasses', 'enum', 'abc', 'traceback'}
    load(sorted(set(sys.builtin_module_names) - UNSAFE | asked | answers | useful))
    prefixed = {'__name__': 'prefix', '__builtins__': dict(vars(builtins))}
    exec(PRELUDE, prefixed)
    exec(prefix, prefixed)
    module = types.ModuleType('answer')
    module.__builtins__ = builtins
    for name, value in prefixed.items():
        if not name.startswith('__'):
            module.__dict__[name] = value
    for value in list(prefixed.values()):
        if isinstance(value, type) and value.__module__ == 'prefix':
            value.__module__ = 'answer'
    sys.modules['answer'] = module
    compiled = compile(setup['code'], 'answer.py', 'exec', dont_inherit=True)

    guard = {'__builtins__': dict(vars(builtins)), 'CALLING': CALLING}
    exec(GUARD, guard)
    library = {**common, **{name: value for name, value in prefixed.items() if not name.startswith('__')}}
    for place in setup['library']:
        for name, value in vars(common[place]).items():
            if not name.startswith('_'):
                library.setdefault(name, value)
    run = guard['prepare'](setup, library, trusted_classes())
    seal({id(run['namespace']), id(prefixed)}, standard | {name.partition('.')[0] for name in asked} - UNSAFE)
    run['go'](compiled, module.__dict__, RESULT, nonce)


main()
