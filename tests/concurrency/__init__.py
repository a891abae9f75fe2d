"""Real processes against the embedded AWS: contenders, kills, freezes; as a soak, run as a module."""

import sys
from pathlib import Path

# The layer is on the path in Lambda and in pytest; here too, however this package is started.
_LAYER = str(Path(__file__).resolve().parents[2] / "layers" / "common")
if _LAYER not in sys.path:
    sys.path.insert(0, _LAYER)
