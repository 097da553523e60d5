"""Divide the index that sphinx-gallery writes into the sections of ``gallery_order``.

The scripts stay in one folder, so that their paths are short: ``python examples/grid_search.py``.
"""

import re

from gallery_order import SECTIONS

INDEX = "gallery/index"
START = '.. raw:: html\n\n    <div class="sphx-glr-thumbnails">\n\n.. thumbnail-parent-div-open\n'
END = ".. thumbnail-parent-div-close\n\n.. raw:: html\n\n    </div>\n"


def cut(text):
    """Return the source of the index with one heading and one block of pictures per section."""
    before, rest = text.split(START)
    thumbnails, after = rest.split(END)
    pieces = re.split(
        r"(?=\.\. raw:: html\n\n    <div class=\"sphx-glr-thumbcontainer\")", thumbnails
    )
    of_name = {re.search(r":doc:`/gallery/(\w+)`", piece)[1]: piece for piece in pieces[1:]}
    lines = [before]
    named = {name for names in SECTIONS.values() for name in names}
    others = {"More": tuple(name for name in of_name if name not in named)}
    for title, names in {**SECTIONS, **others}.items():
        chosen = [of_name[name] for name in names if name in of_name]
        if chosen:
            lines += [title, "-" * len(title) + "\n", START, *chosen, END]
    return "\n".join([*lines, after])


def on_source_read(app, docname, source):
    if docname == INDEX:
        source[0] = cut(source[0])


def setup(app):
    """Register the handler."""
    app.connect("source-read", on_source_read)
    return {"parallel_read_safe": True}
