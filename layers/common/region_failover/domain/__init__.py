"""Rules without I/O: no clock, no environment, no randomness, no logging, the standard library only."""
