"""The rehearsal: real outages on loopback, against the real template and the real functions."""
