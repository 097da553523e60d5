"""The directive ``activation-table``: one row for each registered activation."""

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList

from skperceptron.activations import get_activation, list_activations


def rows():
    """Return (strings, class and parameters, formula), one tuple per class."""
    by_class = {}
    for name in list_activations():
        by_class.setdefault(type(get_activation(name)), []).append(name)
    for cls, names in by_class.items():
        parameters = ", ".join(f"{k}={v!r}" for k, v in cls().get_params().items())
        strings = ", ".join(f'``"{name}"``' for name in names)
        role = f":class:`{cls.__name__} <skperceptron.activations.{cls.__name__}>`"
        yield strings, f"{role} ``({parameters})``", f":math:`{cls.formula}`"


class ActivationTable(Directive):
    """A list table made from the registry, so that a new activation needs no new line here."""

    def run(self):
        lines = [".. list-table::", "   :header-rows: 1", "   :widths: 20 35 45", ""]
        for row in [("string", "class", "formula"), *rows()]:
            lines += [f"   {'*' if i == 0 else ' '} - {cell}" for i, cell in enumerate(row)]
        holder = nodes.container()
        self.state.nested_parse(StringList(lines, source="activation-table"), 0, holder)
        return holder.children


def setup(app):
    """Register the directive."""
    app.add_directive("activation-table", ActivationTable)
    return {"parallel_read_safe": True}
