# What the tests hold of the answer: names and objects that live in the answer's process. After wire.py, sharing.py.


VIEWS = tuple(type(view) for view in ({}.keys(), {}.values(), {}.items()))


class Gone(BaseException):
    """The answer's process has ended: so has the test."""


class AnswerError(Exception):
    """Raised by the answer, of no type that the tests know."""


class Link:
    """The pipe to the answer. All that comes over it is plain data or a Remote; nothing of the answer runs here."""

    def __init__(self, classes, control_in, control_out, makes_objects=False, attributes=(), fields=()):
        """
        @param makes_objects whether the text of the tests could hand out more than plain data
        @param attributes that the tests name; @param fields that they or the prefix assign
        """
        self.classes, self.input, self.output = classes, control_in, control_out
        self.makes_objects, self.attributes, self.fields = makes_objects, attributes, fields
        self.callbacks, self.exceptions = [], {}
        self.self_judged, self.needs = False, []

    def ask(self, op, /, *args, **keywords):
        send(self.output, {'op': op, 'args': self.pack([args, keywords])})
        while True:
            reply = receive(self.input)
            if 'callback' in reply:
                self.call_back(reply)
                continue
            if 'raise' in reply:
                error = self.exception(*map(str, reply['raise']))
                if isinstance(error, (StopIteration, StopAsyncIteration)) and op != 'next':
                    error = AnswerError('StopIteration')  # it would end a loop of the tests
                raise error
            if 'return' not in reply:
                raise Gone
            if 'args' in reply:
                positional, named = self.unpack(reply['args'])
                for old, new in [*zip(args[1:], positional), *((keywords[name], named[name]) for name in keywords)]:
                    change(old, new, self.classes)
            return self.unpack(reply['return'])

    def call_back(self, message):
        try:
            reply = {'return': self.pack(self.callbacks[message['callback']](*self.unpack(message['args'])))}
        except Exception as error:
            reply = {'raise': plain_exception(error)}
        send(self.output, reply)

    def exception(self, name, builtin, message):
        kind = self.exceptions.get(name) or getattr(builtins, builtin, None)
        if not (isinstance(kind, type) and issubclass(kind, Exception)):
            kind, message = AnswerError, f'{name}: {message}'
        try:
            return kind(message)
        except Exception:
            return AnswerError(f'{name}: {message}')

    def pack(self, value):
        return pack(value, self.classes, self.outgoing, self.makes_objects)

    def outgoing(self, value, items):
        kind = type(value)
        if kind is Remote:
            return entry_of(value)
        if kind in VIEWS:
            return ['l', items(value)]
        if kind.__module__ in ('builtins', 'itertools') and hasattr(kind, '__next__'):
            self.callbacks.append(value.__next__)
            return ['I', len(self.callbacks) - 1]
        if callable(value) and not (self.makes_objects and isinstance(value, type)):
            self.callbacks.append(value)
            return ['k', len(self.callbacks) - 1]
        reason = f'the tests give the answer a {type(value).__name__}, which is no plain data'
        if not self.makes_objects:
            raise TypeError(reason)
        self.needs.append(reason)
        raise NeedsShared(reason)

    def unpack(self, data):
        return unpack(data, self.classes, self.incoming, self.fields)

    def incoming(self, entry):
        if entry[0] != 'h' or type(entry[1]) is not int:
            raise ValueError('not plain data')
        return Remote(self, entry)


def change(old, new, classes):
    """An argument as the answer left it: of the same type, in place."""
    if type(old) is not type(new):
        return
    if type(old) in (list, bytearray):
        old[:] = new
    elif isinstance(old, (dict, set)):
        old.clear()
        old.update(new)
    elif classes.get(type(old).__name__) is type(old):
        for name in attributes(old):
            object.__delattr__(old, name)
        for name, value in attributes(new).items():
            object.__setattr__(old, name, value)


class Remote:
    """
    A name or an object of the answer. Asking it gives what the answer says, as plain data that the tests then compare.
    It never decides about plain data itself: it equals none, is ordered with none, and what came of arithmetic between
    the two only counts against another object, for an operand of the tests may give the expected value away.
    """

    __slots__ = ('_link', '_entry', '_tainted')

    def __init__(self, link, entry, tainted=False):
        object.__setattr__(self, '_link', link)
        object.__setattr__(self, '_entry', entry)
        object.__setattr__(self, '_tainted', tainted)

    def __call__(self, /, *args, **keywords):
        return ask('call', self, *args, **keywords)

    def __getattr__(self, name):
        known = ('__enter__', '__exit__', '__name__', '__doc__', *link_of(self).attributes)
        if name.startswith('__') and name.endswith('__') and name not in known:
            raise AttributeError(name)
        return ask('get', self, name)

    @property
    def __class__(self):
        return ask('get', self, '__class__') if '__class__' in link_of(self).attributes else Remote

    def __mro_entries__(self, bases):
        raise NeedsShared('a class of the tests derives from one of the answer')

    def __copy__(self):
        return ask('copy', self)

    def __deepcopy__(self, memo):
        return ask('deepcopy', self)

    def __setattr__(self, name, value):
        ask('set', self, name, value)

    def __iter__(self):
        iterator = ask('iter', self)
        while True:
            try:
                value = ask('next', iterator)
            except StopIteration:
                return
            yield value

    def __next__(self):
        return ask('next', self)

    def __contains__(self, wanted):
        return any(value is wanted or value == wanted for value in self)

    def __enter__(self):
        return ask('call', ask('get', self, '__enter__'))

    def __exit__(self, kind, error, trace):
        ask('call', ask('get', self, '__exit__'), None, None, None)

    def __hash__(self):
        return hash(tuple(entry_of(self)))

    def __bool__(self):
        return ask('bool', self) is True

    def __eq__(self, other):
        return type(other) is Remote and judge('eq', self, other)

    def __ne__(self, other):
        return not self == other

    def __instancecheck__(self, value):
        return type(value) is Remote and judge('isinstance', value, self)

    def __len__(self):
        return of_type(int, ask('len', self))

    def __str__(self):
        return of_type(str, ask('str', self))

    def __repr__(self):
        return of_type(str, ask('repr', self))


def entry_of(remote):
    return object.__getattribute__(remote, '_entry')


def link_of(remote):
    return object.__getattribute__(remote, '_link')


def is_tainted(value):
    return type(value) is Remote and object.__getattribute__(value, '_tainted')


def ask(op, remote, /, *args, **keywords):
    result = link_of(remote).ask(op, remote, *args, **keywords)
    if not any(is_tainted(value) for value in (remote, *args, *keywords.values())):
        return result
    return tainted(result)


def tainted(result):
    if type(result) is not Remote:
        raise TypeError('an object of the answer, combined with plain data of the tests, can only be compared with another object')
    return Remote(link_of(result), entry_of(result), True)


def judge(op, one, other):
    """What the answer says about two of its own objects."""
    link_of(one).self_judged = True
    return link_of(one).ask(op, one, other) is True


def of_type(kind, value):
    if type(value) is not kind:
        raise TypeError(f'not a {kind.__name__}')
    return value


def ordering(op):
    def compare(self, other):
        return judge(op, self, other) if type(other) is Remote else NotImplemented

    return compare


def arithmetic(op, swapped):
    def combine(self, other):
        if type(other) is Remote:
            return ask(op, self, other)
        link = link_of(self)
        return tainted(link.ask(op, other, self) if swapped else link.ask(op, self, other))

    return combine


def unary(op):
    return lambda self, *args: ask(op, self, *args)


for op in ('lt', 'le', 'gt', 'ge'):
    setattr(Remote, f'__{op}__', ordering(op))
for op in ('add', 'sub', 'mul', 'truediv', 'floordiv', 'mod', 'pow', 'matmul', 'and_', 'or_', 'xor'):
    setattr(Remote, f'__{op.rstrip("_")}__', arithmetic(op, False))
    setattr(Remote, f'__r{op.rstrip("_")}__', arithmetic(op, True))
for op in ('neg', 'pos', 'abs', 'round', 'int', 'float', 'index', 'getitem', 'setitem', 'delitem'):
    setattr(Remote, f'__{op}__', unary(op))
