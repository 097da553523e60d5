"""The import path of the fuzz test."""

import sys
from pathlib import Path

# ``fuzz`` is also a program, and imports the module beside it by its plain name.
sys.path.insert(0, str(Path(__file__).parent))
