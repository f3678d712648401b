# What stands between tests and the functions of an answer where both are in one process, also where a library compares for
# the tests: objects of the answer equal no plain data, and have no say about it. A text of its own, in a dictionary of its own,
# for the answer can get at it by the tests' variables: it leads to nothing else. KNOWN are the classes that are not the answer's.
MRO = type.__dict__['__mro__'].__get__
DICTIONARY = type.__dict__['__dict__'].__get__
SET = type.__setattr__
FUNCTIONS = (type(lambda: 0), type(int.__eq__), type(str.upper))
COMPARISONS = ('__eq__', '__ne__', '__lt__', '__le__', '__gt__', '__ge__')
BINARY = ('add', 'sub', 'mul', 'truediv', 'floordiv', 'mod', 'divmod', 'pow', 'matmul', 'and', 'or', 'xor', 'lshift', 'rshift')
ARITHMETIC = [f'__{prefix}{name}__' for prefix in ('', 'r', 'i') for name in BINARY]
DEPTH = 4
made = set()


def comparing(own, kind):
    def compare(self, other):
        return own(self, other) if kind in MRO(type(other)) and type(own) in FUNCTIONS else NotImplemented

    return compare


def combining(own, kind):
    def combine(self, other):
        result = own(self, other) if type(own) in FUNCTIONS else NotImplemented
        if kind not in MRO(type(other)) and result is not NotImplemented and type(result) in KNOWN:
            raise TypeError('an object of the answer, combined with plain data of the tests, can only be compared with another object')
        return result

    return combine


def tame(kind):
    """Leaves a class, and its own class, no say about plain data."""
    for one in (*MRO(kind), *MRO(type(kind))):
        if one in KNOWN:
            continue
        held = DICTIONARY(one)
        for names, wrap in ((COMPARISONS, comparing), (ARITHMETIC, combining)):
            for name in names:
                own = held.get(name)
                if own is not None and own not in made:
                    wrapper = wrap(own, one)
                    made.add(wrapper)
                    SET(one, name, wrapper)


def tame_classes(kind=object):
    """All that the answer has made by now."""
    pending, seen = [kind], set()
    while pending:
        one = pending.pop()
        if id(one) not in seen:
            seen.add(id(one))
            pending.extend(type.__subclasses__(one))
            if one not in KNOWN:
                tame(one)


def tame_value(value, depth=0):
    kind = type(value)
    if kind not in KNOWN:
        tame(kind)
    elif depth < DEPTH and kind in (list, tuple, set, frozenset, dict):
        for part in list(value)[:1000]:
            tame_value(part, depth + 1)
        if kind is dict:
            tame_value(list(value.values()), depth + 1)


def guarded(function):
    def call(*args, **keywords):
        try:
            result = function(*args, **keywords)
        except StopIteration as error:  # it would end a loop of the tests
            raise RuntimeError('StopIteration') from error
        tame_value(result)
        return result

    for name in ('__name__', '__qualname__', '__doc__', '__module__'):
        setattr(call, name, getattr(function, name))
    call.__wrapped__ = function
    return call
