# Which tests need the answer in their own process. Their text alone decides, and what they hand out: never the answer.
import ast

# What these do is done to the process that they are in.
INTRUSIVE = {'redirect_stdout', 'redirect_stderr', 'patch', 'monkeypatch', 'inspect', 'asyncio', 'threading', 'concurrent', 'mock'}
STREAMS = {'stdin', 'stdout', 'stderr', 'argv'}
# Calls without a capital letter that make objects.
MAKERS = {'object', 'compile', 'open', 'array', 'memoryview', 'slice', 'np', 'numpy', 'pd', 'pandas', 'torch', 'namedtuple'}


class NeedsShared(BaseException):
    """The test can't be run apart from the answer; its first argument says why."""


def names_in(node):
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def imported(tree):
    """First parts of the modules that a text imports."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition('.')[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module.partition('.')[0], *(alias.name for alias in node.names)}
    return found


def at_once(tree, wanted):
    """Why a test is never run apart from the answer; None where it may be tried."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            parts = [*node.bases, *(keyword.value for keyword in node.keywords)]
            if any(names_in(part) & wanted for part in parts):
                return f'its class {node.name} derives from one of the answer'
        elif isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith)):
            return 'it awaits what the answer does'
        elif isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            calls_type = any(isinstance(side, ast.Call) and getattr(side.func, 'id', None) == 'type' for side in sides)
            if calls_type and any(isinstance(side, ast.Name) and side.id in wanted for side in sides):
                return 'it asks for the type of an object'
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name):
            if node.value.id == 'builtins' or node.value.id == 'sys' and node.attr in STREAMS:
                return f'it replaces {node.value.id}.{node.attr}'
        elif isinstance(node, (ast.Name, ast.Attribute)):
            name = node.id if isinstance(node, ast.Name) else node.attr
            if name in INTRUSIVE and name not in wanted:
                return f'it uses {name}'
    found = (imported(tree) & INTRUSIVE) - wanted
    return f'it uses {min(found)}' if found else None


def makes_objects(tree, prefix, wanted):
    """Whether a text could hand out anything but plain data: classes, and calls that look like a class's."""
    if any(isinstance(node, ast.ClassDef) for node in ast.walk(tree)):
        return True
    if any(isinstance(node, ast.ClassDef) and node.bases for node in ast.walk(prefix)):
        return True
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, 'id', None) or getattr(node.func, 'attr', '')
        if name not in wanted and name[:1].isupper():
            return True
    return bool((names_in(tree) | {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}) & MAKERS)
