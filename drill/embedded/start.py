"""Starts the embedded AWS with its global tables' replication in the rig's hand."""

from __future__ import annotations

import os
import sys

import replication  # type: ignore[import-not-found]  # beside this file, which is run as a script
from ministack.app import main  # type: ignore[import-not-found]
from ministack.services import dynamodb  # type: ignore[import-not-found]

if __name__ == "__main__":
    replication.install(dynamodb, os.environ["REHEARSAL_REPLICATION"])
    sys.exit(main())
