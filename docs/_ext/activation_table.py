"""The directive ``activation-table``: one row, with a picture, for each registered activation."""

from component_table import list_table
from docutils.parsers.rst import Directive

from skperceptron.activations import get_activation, list_activations

HEADER = ("string", "class and formula", "picture")


def rows():
    """Return a row of cells for each class; a cell is a list of lines."""
    for cls in map(type, map(get_activation, list_activations())):
        parameters = ", ".join(f"{k}={v!r}" for k, v in cls().get_params().items())
        role = f":class:`{cls.__name__} <skperceptron.activations.{cls.__name__}>`"
        picture = [
            ".. plot::",
            f"   :alt: {cls.__name__} and its derivative.",
            "   :width: 240",
            "",
            "   from activation_table import draw",
            "",
            f"   draw({cls.names[0]!r})",
        ]
        strings = ", ".join(f'``"{name}"``' for name in cls.names)
        yield [strings], [f"{role} ``({parameters})``", "", f":math:`{cls.formula}`"], picture


def draw(name):
    """Draw an activation at the size of a cell."""
    from matplotlib import pyplot

    from skperceptron.inspection import ActivationDisplay

    _, ax = pyplot.subplots(figsize=(3, 2), layout="constrained")
    ActivationDisplay.from_activation(name, ax=ax)
    ax.legend().remove()
    ax.set(title="", xlabel="")


class ActivationTable(Directive):
    """A list table made from the registry: a new activation needs no new line here."""

    def run(self):
        return list_table(self, HEADER, "20 45 35", rows())


def setup(app):
    """Register the directive."""
    app.add_directive("activation-table", ActivationTable)
    return {"parallel_read_safe": True}
