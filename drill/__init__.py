"""The rehearsal: real outages on loopback, against the real template and the real functions."""

import sys
from pathlib import Path

# What a page of a zone tells is read from its history as the product reads it (`domain/zone_pages.py`).
# For this process alone: the functions have the layer that was built and deployed.
sys.path.append(str(Path(__file__).resolve().parents[1] / "layers" / "common"))
