"""Blocks of code in pages: whether they run alone, and the note on those that do not.

A block that uses names which it does not define continues the code above it. The note is made from
the code, so that nobody has to write it. ``tests/docs/test_code_blocks.py`` runs all other blocks
alone.
"""

import ast
import builtins
import re
import textwrap
from dataclasses import dataclass
from itertools import dropwhile, takewhile

#: Pages whose code is not meant to be pasted: the reference, scripts, and files to add or change.
ELSEWHERE = ("api/", "gallery/", "extending/")

#: The first line of a directive that holds code, after its indentation.
DIRECTIVE = re.compile(r"^(\s*)\.\. (plot::|code-block:: python)")


@dataclass(frozen=True)
class Block:
    """Code of a page.

    Attributes
    ----------
    line : int
        Where it begins, from 1.
    text : str
        The source without its indentation, with prompts and output if it has them.
    """

    line: int
    text: str

    @property
    def code(self):
        """The code without prompts and output."""
        return without_prompts(self.text)

    @property
    def has_prompts(self):
        return self.text.startswith(">>>")


def without_prompts(text):
    """Return the code of a doctest; other text as it is."""
    if not text.startswith(">>>"):
        return text
    code, continues = [], False
    for line in text.splitlines():
        # Three dots in an output, such as a traceback, are not code.
        continues = line.startswith(">>>") or (continues and line.startswith("..."))
        if continues:
            code.append(line[4:])
    return "\n".join(code)


def blocks(page):
    """Return the blocks of a page's source: doctests, and Python code in directives."""
    found, lines = [], page.splitlines()
    number = 0
    while number < len(lines):
        end = number + 1
        opened = DIRECTIVE.match(lines[number])
        if opened:
            inside = indented(lines[end:], len(opened[1]) + 3)
            code = list(dropwhile(is_option, inside))
            text = "\n".join(code).strip()
            if any(line.startswith(":caption:") for line in inside):
                # The code of a file, or a sketch, which nobody pastes.
                end += len(inside)
            elif text and not text.startswith(">>>"):
                end += len(inside)
                found.append(Block(end - len(code) + 1, text))
        elif lines[number].lstrip().startswith(">>>"):
            doctest = list(takewhile(str.strip, lines[number:]))
            end = number + len(doctest)
            found.append(Block(number + 1, textwrap.dedent("\n".join(doctest))))
        number = end
    return found


def indented(lines, width):
    """Return the first lines that are blank or indented by a width, without the indentation."""
    inside = takewhile(lambda line: not line.strip() or line.startswith(" " * width), lines)
    return [line[width:] for line in inside]


def is_option(line):
    """Tell whether a line of a directive is blank, an option, or the continuation of one."""
    return line[:1] in ("", ":", " ")


class Names(ast.NodeVisitor):
    """The names that code defines, and those that it reads before it defines them."""

    def __init__(self):
        self.defined = set(dir(builtins)) | {"__name__"}
        self.needed = []
        self.later = []

    def visit_Name(self, node):
        if isinstance(node.ctx, ast.Store):
            self.defined.add(node.id)
        elif node.id not in self.defined and node.id not in self.needed:
            self.needed.append(node.id)

    def visit_Assign(self, node):
        self.visit(node.value)
        for target in node.targets:
            self.visit(target)

    def visit_AugAssign(self, node):
        self.visit(node.value)
        if isinstance(node.target, ast.Name):
            self.visit(ast.Name(node.target.id, ast.Load()))
        self.visit(node.target)

    def visit_For(self, node):
        self.visit(node.iter)
        self.visit(node.target)
        for statement in [*node.body, *node.orelse]:
            self.visit(statement)

    def visit_Import(self, node):
        for alias in node.names:
            self.defined.add((alias.asname or alias.name).split(".")[0])

    visit_ImportFrom = visit_Import  # noqa: N815

    def visit_FunctionDef(self, node):
        for outside in [*node.decorator_list, *node.args.defaults, *node.args.kw_defaults]:
            if outside is not None:
                self.visit(outside)
        self.defined.add(node.name)
        self._visit_later(node.args, node.body)

    def visit_Lambda(self, node):
        self._visit_later(node.args, [node.body])

    def visit_ClassDef(self, node):
        for outside in [*node.decorator_list, *node.bases, *node.keywords]:
            self.visit(outside)
        inside = Names()
        inside.defined = set(self.defined)
        for statement in node.body:
            inside.visit(statement)
        self._take(inside)
        self.defined.add(node.name)

    def visit_comprehension_like(self, node):
        inside = Names()
        inside.defined = set(self.defined)
        for generator in node.generators:
            inside.visit(generator.iter)
            inside.visit(generator.target)
            for condition in generator.ifs:
                inside.visit(condition)
        for part in ("key", "value", "elt"):
            if hasattr(node, part):
                inside.visit(getattr(node, part))
        self._take(inside)

    visit_ListComp = visit_comprehension_like  # noqa: N815
    visit_SetComp = visit_comprehension_like  # noqa: N815
    visit_GeneratorExp = visit_comprehension_like  # noqa: N815
    visit_DictComp = visit_comprehension_like  # noqa: N815

    def _visit_later(self, arguments, body):
        """Visit a function's body, whose outer names may be defined after the function."""
        inside = Names()
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every += [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
        inside.defined |= {one.arg for one in every} | {"super"}
        for statement in body:
            inside.visit(statement)
        self.later += inside.needed + inside.later

    def _take(self, inside):
        self.needed += [name for name in inside.needed if name not in self.needed]
        self.later += inside.later


def names_of(code):
    """Return the names that code defines, and a list of those that it needs from elsewhere."""
    found = Names()
    found.visit(ast.parse(code))
    needed = list(found.needed)
    needed += [name for name in found.later if name not in found.defined and name not in needed]
    return found.defined - set(dir(builtins)), needed


def is_python(node):
    """Tell whether a node is code that a reader may paste: Python without a caption."""
    from docutils import nodes

    if isinstance(node, nodes.doctest_block):
        return True
    if not isinstance(node, nodes.literal_block) or "literal_block" in node.parent:
        return False
    language = node.get("language")
    return language == "python" or (language == "default" and node.astext().startswith(">>>"))


def note_on(needed, page):
    """Return the note on a block that needs names from above, in the language of the page."""
    from docutils import nodes

    english, russian = "Continues the code above. Needs ", "Продолжение кода выше. Нужны имена "
    start = russian if page.endswith("_ru") else english
    note = nodes.paragraph("", start, classes=["continues"])
    for i, name in enumerate(needed):
        note += nodes.Text(", " if i else "")
        note += nodes.literal(name, name)
    return note


def mark(app, doctree):
    """Put a note before each block that continues code above it."""
    from sphinx.util import logging

    if app.env.docname.startswith(ELSEWHERE):
        return
    logger, above = logging.getLogger(__name__), set()
    for node in list(doctree.findall(is_python)):
        try:
            defined, needed = names_of(without_prompts(node.astext()))
        except SyntaxError as error:
            logger.warning("This is not valid Python: %s", error, location=node)
            continue
        for name in set(needed) - above:
            logger.warning("%r is not defined above this code", name, location=node)
        if needed:
            node.parent.insert(node.parent.index(node), note_on(needed, app.env.docname))
        above |= defined


def setup(app):
    """Register the handler."""
    app.connect("doctree-read", mark)
    return {"parallel_read_safe": True}
