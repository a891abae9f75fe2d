"""Situations that an on-call engineer may meet, one file each; `stage.py` reads and plays them."""
