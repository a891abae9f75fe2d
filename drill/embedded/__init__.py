"""What runs inside the embedded AWS: on its own Python, with the standard library and ministack only."""
