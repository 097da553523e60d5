"""Small faults that can be put into a source file, one at a time."""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

SWAPPED = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
}

#: NumPy's functions, with those that replace them.
SWAPPED_NAMES = {
    "ones": "zeros",
    "zeros": "ones",
    "ones_like": "zeros_like",
    "zeros_like": "ones_like",
    "add": "subtract",
    "subtract": "add",
    "multiply": "divide",
    "divide": "multiply",
    "maximum": "minimum",
    "minimum": "maximum",
    "argmax": "argmin",
    "argmin": "argmax",
    "any": "all",
    "all": "any",
}


@dataclass(frozen=True)
class Mutant:
    """One fault.

    Attributes
    ----------
    path : str
        The file, relative to the root of the project.
    line : int
    where : str
        The function around it, with its class.
    text : str
        The line without the fault.
    change : str
        The code and its replacement.
    source : str
        The whole file with the fault.
    lines : range
        The lines of the statement around it, without those of nested statements.
    """

    path: str
    line: int
    where: str
    text: str
    change: str
    source: str
    lines: range

    @property
    def key(self) -> tuple[str, str, str]:
        """What identifies the fault even if lines and files move."""
        return self.where, self.text, self.change


@dataclass(frozen=True)
class Inside:
    """What is around a node: a function with its class, and the lines of a statement."""

    where: str
    lines: range

    def below(self, node: ast.AST) -> "Inside":
        """Return what is around the children of a node that is inside this one."""
        where, lines = self.where, self.lines
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            where = f"{where}.{node.name}".strip(".")
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            last = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno
            lines = range(node.lineno, last + 1)
        return Inside(where, lines)


def mutants_of(path: str, source: str) -> Iterator[Mutant]:
    """Yield the faults that can be put into a file."""
    encoded = source.encode()
    lines, starts = encoded.splitlines(keepends=True), [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    for node, inside, changed in _changes(ast.parse(source), Inside("", range(0))):
        first = starts[node.lineno - 1] + node.col_offset
        last = starts[node.end_lineno - 1] + node.end_col_offset
        new = ast.unparse(changed)
        change = f"{ast.unparse(node)} -> {new}"
        if isinstance(node, ast.expr):
            new = f"({new})"
        mutated = (encoded[:first] + new.encode() + encoded[last:]).decode()
        text = lines[node.lineno - 1].decode().strip()
        yield Mutant(path, node.lineno, inside.where, text, change, mutated, inside.lines)


def _changes(parent: ast.AST, around: Inside) -> Iterator[tuple[ast.AST, Inside, ast.AST]]:
    """Yield nodes below a parent, what is around them, and their possible replacements."""
    for name, value in ast.iter_fields(parent):
        if name in ("annotation", "returns", "decorator_list", "bases"):
            continue
        for node in value if isinstance(value, list) else [value]:
            if not isinstance(node, ast.AST) or isinstance(node, ast.JoinedStr | ast.Raise):
                # Messages of errors are not tested.
                continue
            inside = around.below(node)
            for changed in _faults(node):
                yield node, inside, changed
            yield from _changes(node, inside)


def _faults(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the possible replacements of a node."""
    match node:
        case ast.BinOp(op=op) | ast.BoolOp(op=op) | ast.AugAssign(op=op) if type(op) in SWAPPED:
            yield _with(node, op=SWAPPED[type(op)]())
        case ast.Compare(ops=[op]) if type(op) in SWAPPED:
            yield _with(node, ops=[SWAPPED[type(op)]()])
        case ast.UnaryOp(op=ast.USub() | ast.Not()):
            yield node.operand
        case ast.Constant(value=bool()):
            yield ast.Constant(not node.value)
        case ast.Constant(value=int()):
            yield ast.Constant(node.value + 1)
        case ast.Constant(value=float()):
            yield ast.Constant(1.5 * node.value or 1.0)
        case ast.Attribute(attr=attr) if attr in SWAPPED_NAMES:
            yield _with(node, attr=SWAPPED_NAMES[attr])
        case ast.Expr(value=ast.Call()) | ast.AugAssign():
            yield ast.Pass()
        case ast.Assign(targets=[ast.Subscript()]):
            yield ast.Pass()


def _with(node: ast.AST, **changes) -> ast.AST:
    changed = copy.copy(node)
    for name, value in changes.items():
        setattr(changed, name, value)
    return changed
