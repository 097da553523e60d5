"""Steps without the interpreter: bound calls of NumPy as tables that compiled code runs.

``recording`` turns plain methods into calls, ``rows`` reads calls, ``program`` makes tables of
them, ``_steps.c`` runs these. The results have the bits of the calls. Where the extension module
is missing, everything runs as NumPy's calls.
"""

from .program import Program, Section
from .switch import VARIABLE, Way, is_available, warns_as_usual, way
from .team import Team, has_teams

__all__ = [
    "VARIABLE",
    "Program",
    "Section",
    "Team",
    "Way",
    "has_teams",
    "is_available",
    "warns_as_usual",
    "way",
]
