"""The usual tutorial's function beside ours, in the same outages on loopback: `python -m bench`."""
