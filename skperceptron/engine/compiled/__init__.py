"""Steps without the interpreter: bound NumPy calls as tables that compiled code runs.

``recording`` turns plain methods into calls, ``encoding`` turns calls into rows, ``program``
collects rows in tables, and ``_steps.c`` runs these. The results have the same bits as those of the
calls. Without the extension module, everything runs as NumPy calls.
"""

from .extension import VARIABLE, Way, is_available, warns_as_usual, way
from .layout import LARGE_PRODUCT
from .program import Program, Section
from .shuffling import shuffle
from .team import MemberTeam, RowTeam, Team, has_teams

__all__ = [
    "LARGE_PRODUCT",
    "VARIABLE",
    "MemberTeam",
    "Program",
    "RowTeam",
    "Section",
    "Team",
    "Way",
    "has_teams",
    "is_available",
    "shuffle",
    "warns_as_usual",
    "way",
]
