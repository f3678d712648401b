# The answer's side: nothing in this process is trusted by anyone. A master reads the answer once, then forks for each
# test, so that tests can't see each other. After confine.py and wire.py in the same module; PRELUDE is the text of prelude.py.
import atexit
import builtins
import copy
import gc
import io
import operator
import resource
import signal
import types

CONTROL_IN, CONTROL_OUT = 0, 1


def lower(kind, soft):
    hard = resource.getrlimit(kind)[1]
    soft = soft if hard == resource.RLIM_INFINITY else min(soft, hard)
    resource.setrlimit(kind, (soft, soft))


def confine(limits, filters):
    for kind in ('DATA', 'CPU', 'FSIZE', 'NOFILE', 'NPROC'):
        if kind in limits:
            lower(getattr(resource, 'RLIMIT_' + kind), limits[kind])
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    stack = limits['STACK'] if hard == resource.RLIM_INFINITY else min(limits['STACK'], hard)
    resource.setrlimit(resource.RLIMIT_STACK, (stack, hard))
    for instructions in filters:
        install_filter(instructions)


def redirect(stdin, stdout, stderr):
    """The three descriptors become standard input, output and error; Python's own objects anew on them."""
    for target, source in enumerate((stdin, stdout, stderr)):
        os.dup2(source, target)
    sys.stdin = sys.__stdin__ = open(0, encoding='utf-8', errors='replace', closefd=False)
    sys.stdout = sys.__stdout__ = open(1, 'w', encoding='utf-8', errors='replace', closefd=False)
    sys.stderr = sys.__stderr__ = open(2, 'w', encoding='utf-8', errors='replace', closefd=False)


def new_module(name, setup):
    """The module that the answer becomes, with what it may take for granted."""
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(PRELUDE, module.__dict__)
    if setup['prefix']:
        exec(setup['prefix'], module.__dict__)
    return module.__dict__


def open_device(path, *args, **options):
    """There is no /proc in the sandbox, so /dev/stdin is no file."""
    named = os.fspath(path) if isinstance(path, os.PathLike) else path
    return OPEN(0 if named == '/dev/stdin' else path, *args, **options)


def open_descriptor(path, *args, **options):
    return os.dup(0) if path == '/dev/stdin' else OPEN_DESCRIPTOR(path, *args, **options)


OPEN, OPEN_DESCRIPTOR = open, os.open


def run_main(setup):
    """The program to its end, as the interpreter would, without taking everything apart after it."""
    status, standard = 0, sys.stdout
    try:
        exec(setup['compiled'], new_module('__main__', setup))
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if status == 1 and not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
    except BaseException:
        status = 1
        sys.excepthook(*sys.exc_info())
    try:
        if 'threading' in sys.modules:
            sys.modules['threading']._shutdown()
        atexit._run_exitfuncs()
        for stream in (getattr(sys, 'stdout', None), standard):
            try:
                stream.flush()
            except (ValueError, AttributeError):
                pass  # closed, detached or none
    except BaseException:
        status = status or 1
    return status & 255


def run_program(setup, test):
    """One run of the whole program: its standard output, its exit status and the end of its standard error."""
    files = [os.memfd_create(name) for name in ('stdin', 'stdout', 'stderr')]
    with open(files[0], 'wb', closefd=False) as stdin:
        stdin.write(test['stdin'].encode('utf-8', 'surrogatepass'))
    os.lseek(files[0], 0, 0)
    child = os.fork()
    if child == 0:
        redirect(*files)
        os.closerange(3, 256)
        confine(setup['limits'], setup['filters'])
        if setup['command']:
            os.execv(setup['command'][0], setup['command'] + [setup['code']])
        builtins.open = io.open = open_device  # pathlib's is the other
        os.open = open_descriptor
        os._exit(run_main(setup))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    texts = [os.pread(fd, size, 0) for fd, size in ((files[1], setup['limits']['FSIZE'] + 1), (files[2], 1 << 16))]
    for fd in files:
        os.close(fd)
    return {'status': status, 'stdout': texts[0].decode('utf-8', 'replace'), 'stderr': texts[1].decode('utf-8', 'replace')[-500:]}


def session(setup, test):
    """A child whose functions the tests call, until they have ended; the test says by which names."""
    wanted = test['names']
    child = os.fork()
    if child == 0:
        control = os.dup(CONTROL_IN), os.dup(CONTROL_OUT)
        null = os.open('/dev/null', os.O_RDWR)
        redirect(null, null, null)
        confine(setup['limits'], setup['filters'])
        if setup['command']:
            for fd in control:
                os.set_inheritable(fd, True)
            os.execv(setup['command'][0], setup['command'] + [setup['code'], json.dumps(wanted), *map(str, control)])
        serve(setup, wanted, *control)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return {'ended': status}


def shared(setup, test):
    """A child that is the answer and its tests, in an interpreter of its own without a way to memory: what it says of them."""
    given, taken = os.pipe(), os.pipe()
    null = os.open('/dev/null', os.O_RDWR)
    child = os.fork()
    if child == 0:
        for target, source in enumerate((given[0], null, null, taken[1])):
            os.dup2(os.dup(source), target)
        os.closerange(4, 256)
        confine(setup['limits'], setup['filters'])
        os.execv(sys.executable, [sys.executable, '-I', '-S', '-B', '-c', test['program']])
    for fd in (given[0], taken[1], null):
        os.close(fd)
    more = {'code': setup['code'], 'prefix': setup['prefix'], 'modules': setup['modules']}
    try:
        with open(given[1], 'wb') as pipe:
            pipe.write(json.dumps({**test['setup'], **more}).encode('ascii'))
    except BrokenPipeError:
        pass  # its status says more
    with open(taken[0], 'rb') as pipe:
        said = pipe.read(2000)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return {'status': status, 'said': said.decode('utf-8', 'replace')}


class Serving:
    """What the tests can ask of the answer's module."""

    def __init__(self, names, prefixed, control_in, control_out):
        self.names, self.input, self.output = names, control_in, control_out
        self.classes = {name: names[name] for name in prefixed if isinstance(names.get(name), type)}
        self.held, self.numbers = [], {}

    def pack(self, value):
        return pack(value, self.classes, self.handle)

    def unpack(self, data):
        return unpack(data, self.classes, self.of_the_tests)

    def handle(self, value, _):
        number = self.numbers.get(id(value))
        if number is None:
            number = self.numbers[id(value)] = len(self.held)
            self.held.append(value)
        return ['h', number]

    def of_the_tests(self, entry):
        tag, content = entry
        if tag == 'h':
            return self.held[content]
        if tag == 'n':
            return self.names[content]
        if tag == 'k':
            return lambda *args: self.ask({'callback': content, 'args': self.pack(args)})
        if tag == 'I':
            return self.pull({'callback': content, 'args': self.pack(())})
        raise ValueError('not plain data')

    def ask(self, message):
        """Asks the tests, which may ask back before they reply."""
        send(self.output, message)
        while True:
            reply = receive(self.input)
            if 'return' in reply:
                return self.unpack(reply['return'])
            if 'raise' in reply:
                raise getattr(builtins, reply['raise'][1])(reply['raise'][2])
            self.answer(reply)

    def pull(self, question):
        """An iterator of the tests."""
        while True:
            try:
                value = self.ask(question)
            except StopIteration:
                return
            yield value

    def answer(self, message):
        try:
            args, keywords = self.unpack(message['args'])
            given = [args[1:], keywords]
            before = self.pack(given) if message['op'] == 'call' and any(map(is_mutable, (*args[1:], *keywords.values()))) else None
            result = OPERATIONS[message['op']](*args, **keywords)
            reply = {'return': self.pack(result)}
            if before is not None:
                after = self.pack(given)
                if after != before:
                    reply['args'] = after
        except BaseException as error:
            reply = {'raise': plain_exception(error)}
        send(self.output, reply)


def is_mutable(value):
    return not isinstance(value, (type(None), int, float, str, bytes, complex))


OPERATIONS = {
    'call': lambda function, /, *args, **keywords: function(*args, **keywords),
    'get': getattr,
    'set': setattr,
    'isinstance': isinstance,
    'copy': copy.copy,
    'deepcopy': copy.deepcopy,
    **{function.__name__: function for function in (len, str, repr, iter, next, bool, hash, int, float, abs, round)},
    **{name: getattr(operator, name) for name in ('getitem', 'setitem', 'delitem', 'neg', 'pos', 'index')},
    **{name: getattr(operator, name) for name in ('add', 'sub', 'mul', 'truediv', 'floordiv', 'mod', 'pow', 'matmul')},
    **{name: getattr(operator, name) for name in ('eq', 'ne', 'lt', 'le', 'gt', 'ge', 'and_', 'or_', 'xor')},
}


def serve(setup, wanted, control_in, control_out):
    try:
        names = new_module('answer', setup)
        prefixed = defined_classes(names)
        exec(setup['compiled'], names)
    except BaseException as error:
        send(control_out, {'raise': plain_exception(error)})
        return
    serving = Serving(names, prefixed, control_in, control_out)
    send(control_out, {'names': {name: describe(serving, names[name]) for name in wanted if name in names}})
    while True:
        message = receive(control_in)
        if message['op'] == 'end':
            return
        serving.answer(message)


def describe(serving, value):
    """How a name of the answer appears among the tests."""
    if isinstance(value, type) and issubclass(value, BaseException):
        return ['exception', nearest_builtin(value)]
    if isinstance(value, type) or callable(value):
        return ['name']
    return ['value', serving.pack(value)]


def main():
    send(CONTROL_OUT, {'up': True})
    setup = receive(CONTROL_IN)
    for kind in ('AS', 'CORE'):
        if kind in setup['limits']:
            lower(getattr(resource, 'RLIMIT_' + kind), setup['limits'][kind])
    try:
        setup['compiled'] = None if setup['command'] else compile(setup['code'], 'answer.py', 'exec', dont_inherit=True)
    except BaseException as error:
        send(CONTROL_OUT, {'syntax': f'{type(error).__name__}: {error}'[:300]})
        return
    sys.path[:] = setup['modules']
    builtins.exit = builtins.quit = sys.exit
    exec(PRELUDE, {})  # imported once, for all forks
    gc.collect()
    gc.freeze()  # a fork then copies fewer pages
    send(CONTROL_OUT, {'ready': True})
    while True:
        try:
            test = receive(CONTROL_IN)
        except Closed:
            return
        reply = {'run': run_program, 'session': session, 'shared': shared}[test['op']](setup, test)
        send(CONTROL_OUT, reply)
