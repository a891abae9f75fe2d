"""The flows: the only place where decisions and effects interleave."""
