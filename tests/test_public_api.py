"""No public name or parameter disappears by accident.

``python tests/test_public_api.py`` rewrites the list after one was added or removed on purpose.
"""

import inspect
from importlib import import_module
from pathlib import Path

LIST = Path(__file__).parent / "data" / "public_api.txt"
MODULES = [
    "skperceptron",
    "skperceptron.activations",
    "skperceptron.averaging",
    "skperceptron.callbacks",
    "skperceptron.embeddings",
    "skperceptron.exceptions",
    "skperceptron.export",
    "skperceptron.groups",
    "skperceptron.initializers",
    "skperceptron.inspection",
    "skperceptron.losses",
    "skperceptron.model_selection",
    "skperceptron.normalizations",
    "skperceptron.optimizers",
    "skperceptron.perceptron",
    "skperceptron.preprocessing",
    "skperceptron.schedules",
    "skperceptron.stopping",
    "skperceptron.tabular",
]

#: Names that exist only if their extra is installed, and so are not checked.
BEHIND_EXTRAS = {"skperceptron.export": {"onnx_inputs", "register", "to_onnx"}}


def parameters_of(thing):
    """Return the names of a function's parameters, in an order that shows which are positional."""
    try:
        parameters = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):
        return []
    return [str(parameter).split(":")[0].split("=")[0] for parameter in parameters]


def public_api():
    """Yield a line for each public name, and for each public method of a class."""
    for module_name in MODULES:
        module = import_module(module_name)
        for name in sorted(set(module.__all__) - BEHIND_EXTRAS.get(module_name, set())):
            thing = getattr(module, name)
            path = f"{module_name}.{name}"
            yield f"{path}({', '.join(parameters_of(thing))})"
            if inspect.isclass(thing):
                for attribute in sorted(dir(thing)):
                    value = inspect.getattr_static(thing, attribute)
                    module_of = getattr(value, "__module__", None) or ""
                    # Inherited from scikit-learn since version 1.9.
                    is_ours = module_of.startswith("skperceptron") and attribute != "set_callbacks"
                    if not attribute.startswith("_") and callable(value) and is_ours:
                        yield f"{path}.{attribute}({', '.join(parameters_of(value))})"


def test_public_names_and_parameters_are_those_of_the_list():
    before = set(LIST.read_text(encoding="utf-8").splitlines())
    now = set(public_api())
    assert not before - now, "These are gone, or have lost parameters."
    assert not now - before, "These are new: python tests/test_public_api.py adds them."


if __name__ == "__main__":
    LIST.write_text("".join(f"{line}\n" for line in public_api()), encoding="utf-8")
