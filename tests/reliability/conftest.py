"""Options and places of the fuzz test."""

import sys
from pathlib import Path

# ``fuzz`` is a program too, and imports its neighbour by its name.
sys.path.insert(0, str(Path(__file__).parent))
