# Frames over a pipe, and values as plain data in them. Runs in the answer's process and in the tests', which share nothing else.
import builtins
import collections
import enum
import json
import os
import sys

SCALARS = (type(None), bool, str)
EXACT = 2**53
TEXT_TYPES = {'decimal': ('Decimal',), 'fractions': ('Fraction',), 'datetime': ('date', 'datetime', 'time', 'timedelta')}
TYPES = {
    **{kind.__name__: kind for kind in (bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset, object)},
    **{name: kind for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, Exception)},
}
DERIVED = (str, int, float, list, tuple, dict, set, frozenset, bytes, bytearray)
PLAIN = {list, tuple, dict, set, frozenset, bytes, bytearray, collections.deque, collections.Counter, collections.OrderedDict, collections.defaultdict}
FACTORIES = {kind.__name__: kind for kind in (int, float, str, list, dict, set)}


class Closed(Exception):
    """The other end is gone."""


def read_exactly(fd, size):
    parts = []
    while size > 0:
        part = os.read(fd, min(size, 1 << 20))
        if not part:
            raise Closed
        parts.append(part)
        size -= len(part)
    return b''.join(parts)


def receive(fd):
    """One frame: its length in decimal, a newline, JSON. Reads no byte past it, for another process may go on reading."""
    digits = b''
    while not digits.endswith(b'\n'):
        digits += read_exactly(fd, 1)
    return json.loads(read_exactly(fd, int(digits)))


def send(fd, message):
    payload = json.dumps(message).encode('ascii')
    data = memoryview(b'%d\n' % len(payload) + payload)
    while data:
        data = data[os.write(fd, data) :]


def pack(root, classes, foreign, exact=False):
    """
    A value as JSON: scalars as they are, the rest by its number in a table, so that neither depth nor cycles matter.
    Instances of `classes` (name: class, known on both sides) go as their attributes; `foreign(value, items)` gives the table's
    entry for whatever else there is. A subclass of a plain type goes as that type, as its own methods don't count; where
    `exact` says that they do, it is foreign.
    """
    table, numbers, pending, kept = [], {}, [], []

    def item(value):
        kind = type(value)
        if kind in SCALARS:
            return value
        if kind is int:
            return value if -EXACT < value < EXACT else ['i', hex(value)]
        if kind is float:
            return ['f', repr(value)]
        if not exact or kind.__module__ == 'numpy':
            if issubclass(kind, str):
                return str.__str__(value)
            if issubclass(kind, int):
                return item(int.__int__(value))
            if issubclass(kind, float):
                return ['f', float.__repr__(value)]
        number = numbers.get(id(value))
        if number is None:
            number = numbers[id(value)] = len(table)
            table.append(None)
            kept.append(value)
            pending.append(number)
        return ['r', number]

    def items(values):
        return [item(value) for value in values]

    def entry(value):
        kind = type(value)
        if exact and kind not in PLAIN and classes.get(kind.__name__) is not kind and issubclass(kind, DERIVED):
            return foreign(value, items)
        if issubclass(kind, list):
            return ['l', items(list.__iter__(value))]
        if issubclass(kind, tuple):
            named = [kind.__name__] if classes.get(kind.__name__) is kind else []
            return ['t', items(tuple.__iter__(value)), *named]
        if issubclass(kind, dict):
            pairs = value.items() if kind is collections.OrderedDict else dict.items(value)
            return ['d', [[item(key), item(held)] for key, held in pairs], *dict_kind(value)]
        if issubclass(kind, (set, frozenset)):
            base = set if issubclass(kind, set) else frozenset
            return ['s' if base is set else 'z', items(base.__iter__(value))]
        if issubclass(kind, (bytes, bytearray)):
            return ['b' if issubclass(kind, bytes) else 'B', bytes(value).hex()]
        if kind is complex:
            return ['c', repr(value.real), repr(value.imag)]
        if kind is range:
            return ['R', items((value.start, value.stop, value.step))]
        name, module = kind.__name__, kind.__module__
        if module == 'collections' and name == 'deque':
            return ['q', items(value), item(value.maxlen)]
        if name in TEXT_TYPES.get(module, ()):
            return ['y', module, name, text_of(value)]
        if module == 'numpy' and hasattr(kind, 'dtype') and hasattr(kind, 'item') and not hasattr(kind, '__len__'):
            return ['v', item(value.item())]
        if classes.get(name) is kind and issubclass(kind, enum.Enum):
            return ['e', name, value.name]
        if classes.get(name) is kind:
            return ['o', name, [[attribute, item(held)] for attribute, held in attributes(value).items()]]
        if kind is type and TYPES.get(value.__name__) is value:
            return ['T', value.__name__]
        return foreign(value, items)

    top = item(root)
    while pending:
        number = pending.pop()
        table[number] = entry(kept[number])
    return [top, table]


def unpack(data, classes, foreign, fields=None):
    """
    The value of pack's JSON; `foreign(entry)` makes what its own foreign entries stand for. Raises on anything else, so
    on an attribute that would stand in for a method or a constant of the class; `fields` are those that objects have.
    """
    top, table = data
    made = [None] * len(table)
    shells = {'l': list, 's': set}
    state = [0] * len(table)  # 0 not begun, 1 being made (tuples), 2 made
    for number, entry in enumerate(table):
        tag = entry[0]
        if tag in shells:
            made[number], state[number] = shells[tag](), 2
        elif tag == 'd':
            made[number], state[number] = empty_dict(*entry[2:]), 2
        elif tag == 'o':
            made[number], state[number] = object.__new__(classes[entry[1]]), 2

    def value(entry):
        if type(entry) in SCALARS or type(entry) is int:
            return entry
        tag, content = entry
        if tag == 'r':
            return at(content)
        if tag == 'i':
            return int(content, 16)
        if tag == 'f':
            return float(content)
        raise ValueError('not plain data')

    def values(entries):
        return [value(entry) for entry in entries]

    def at(number):
        if state[number] == 1:
            raise ValueError('a tuple that holds itself')
        if state[number] == 0:
            state[number] = 1
            made[number] = immutable(table[number])
            state[number] = 2
        return made[number]

    def immutable(entry):
        tag = entry[0]
        if tag == 't':
            return tuple.__new__(classes[entry[2]] if len(entry) > 2 else tuple, values(entry[1]))
        if tag == 'e':
            return member(classes[entry[1]], entry[2])
        if tag == 'z':
            return frozenset(values(entry[1]))
        if tag in 'bB':
            return (bytes if tag == 'b' else bytearray).fromhex(entry[1])
        if tag == 'c':
            return complex(float(entry[1]), float(entry[2]))
        if tag == 'R':
            return range(*values(entry[1]))
        if tag == 'q':
            from collections import deque

            return deque(values(entry[1]), value(entry[2]))
        if tag == 'v':
            return value(entry[1])
        if tag == 'T':
            return TYPES[entry[1]]
        if tag == 'y':
            return from_text(*entry[1:])
        return foreign(entry)

    for number, entry in enumerate(table):
        tag = entry[0]
        if tag == 'l':
            made[number].extend(values(entry[1]))
        elif tag == 'd':
            for key, held in entry[1]:
                made[number][value(key)] = value(held)
        elif tag == 's':
            made[number].update(values(entry[1]))
        elif tag == 'o':
            kind = type(made[number])
            for name, held in entry[2]:
                if name.startswith('__') or fields is not None and shadows(kind, name, fields):
                    raise ValueError('not plain data')
                object.__setattr__(made[number], str(name), value(held))
    return value(top)


def slots(kind):
    """Names of the attributes that instances have without a dictionary."""
    found = []
    for base in kind.__mro__:
        own = base.__dict__.get('__slots__', ())
        found += [own] if isinstance(own, str) else own
    return [name for name in found if not name.startswith('__')]


def attributes(value):
    held = {name: getattr(value, name) for name in slots(type(value)) if hasattr(value, name)}
    return {**held, **getattr(value, '__dict__', {})}


def shadows(kind, name, fields):
    """Whether an attribute would hide what the class itself has, which is no default of a field."""
    if name in fields or name in slots(kind) or any(name in base.__dict__.get('__annotations__', ()) for base in kind.__mro__):
        return callable(getattr(kind, name, None))
    return getattr(kind, name, None) is not None


def dict_kind(value):
    """How a dictionary of the standard library is called; one of its subclasses is a plain one."""
    kind = type(value)
    if kind in (collections.Counter, collections.OrderedDict):
        return [kind.__name__]
    factory = getattr(value.default_factory, '__name__', None) if kind is collections.defaultdict else None
    return [kind.__name__, factory] if factory in FACTORIES else []


def empty_dict(name='dict', factory=None):
    if name == 'defaultdict':
        return collections.defaultdict(FACTORIES[factory])
    return {'dict': dict, 'Counter': collections.Counter, 'OrderedDict': collections.OrderedDict}[name]()


def member(kind, name):
    if not issubclass(kind, enum.Enum):
        raise ValueError('not plain data')
    return kind[name]


def text_of(value):
    if type(value).__name__ == 'timedelta':
        return f'{value.days},{value.seconds},{value.microseconds}'
    return value.isoformat() if hasattr(value, 'isoformat') else str(value)


def from_text(module, name, text):
    if name not in TEXT_TYPES.get(module, ()):
        raise ValueError('not plain data')
    if name == 'Fraction' and not all(part.lstrip('-').isdigit() for part in text.split('/')):
        raise ValueError('not a fraction')  # an exponent there could take forever
    kind = getattr(__import__(module), name)
    if name == 'timedelta':
        return kind(*map(int, text.split(',')))
    return kind.fromisoformat(text) if module == 'datetime' else kind(text)


def nearest_builtin(kind):
    """The name of the first built-in exception that a class of exceptions derives from."""
    return next((base.__name__ for base in kind.__mro__ if getattr(builtins, base.__name__, None) is base), 'Exception')


def plain_exception(error):
    """Type, nearest built-in type and message of what was raised, as plain text."""
    try:
        quoted = isinstance(error, KeyError) and len(error.args) == 1  # its text is the key's repr
        message = str(error.args[0] if quoted else error)[:500]
    except BaseException:
        message = ''
    return [type(error).__name__, nearest_builtin(type(error)), message]


def defined_classes(names):
    """The names of a module's own classes so far."""
    return [
        name for name, value in names.items() if isinstance(value, type) and value.__module__ == names['__name__']
    ]
