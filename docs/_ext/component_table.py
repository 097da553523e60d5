"""The directive ``component-table``: one row for each public class of a module.

``.. component-table:: optimizers`` lists strings, parameters and the first sentence of docstrings.
"""

import importlib
import inspect
import re

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList

from skperceptron.components import Component

HEADER = ("string", "class and parameters", "what it is")


def rows(module):
    """Return a row of cells for each class; a cell is a list of lines."""
    offered = [getattr(module, name) for name in module.__all__]
    for cls in offered:
        if not inspect.isclass(cls) or not issubclass(cls, Component):
            continue
        if cls.__doc__.startswith("Base of"):
            continue
        strings = ", ".join(f'``"{name}"``' for name in cls.names) or "none"
        role = f":class:`{cls.__name__} <{module.__name__}.{cls.__name__}>`"
        yield [strings], [f"{role} ``({parameters(cls)})``"], [first_sentence(cls)]


def parameters(cls):
    """Return the parameters of a class and their defaults."""
    signature = inspect.signature(cls).parameters.values()
    return ", ".join(
        p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in signature
    )


def first_sentence(cls):
    """Return the first paragraph of a class's docstring, as one line."""
    paragraph = inspect.cleandoc(cls.__doc__).split("\n\n")[0]
    return re.sub(r"\s+", " ", paragraph)


def list_table(directive, header, widths, cells):
    """Return the nodes of a list table."""
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", ""]
    for row in [tuple([cell] for cell in header), *cells]:
        for i, (first, *rest) in enumerate(row):
            lines += [f"   {'*' if i == 0 else ' '} - {first}"]
            lines += [f"       {line}".rstrip() for line in rest]
    holder = nodes.container()
    directive.state.nested_parse(StringList(lines, source=directive.name), 0, holder)
    return holder.children


class ComponentTable(Directive):
    """A list table made from the classes: a new one needs no new line here."""

    required_arguments = 1

    def run(self):
        module = importlib.import_module(f"skperceptron.{self.arguments[0]}")
        return list_table(self, HEADER, "20 45 35", rows(module))


def setup(app):
    """Register the directive."""
    app.add_directive("component-table", ComponentTable)
    return {"parallel_read_safe": True}
