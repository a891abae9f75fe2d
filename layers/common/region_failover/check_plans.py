"""Check the plans of a folder: `python3 -m region_failover.check_plans FOLDER`.

Needs the standard library only, so that any recent Python can build the layer. Exit code 2 on a wrong plan.
"""

from __future__ import annotations

import sys
from pathlib import Path

from region_failover.adapters.plan_files import plans_in
from region_failover.domain.errors import ConfigurationError


def main(arguments: list[str]) -> int:
    """Check the plans in a folder, or say what is wrong with them."""
    if len(arguments) != 1:
        print("usage: python3 -m region_failover.check_plans FOLDER", file=sys.stderr)
        return 2
    try:
        plans = plans_in(Path(arguments[0]))
        if not plans:
            raise ConfigurationError(f"{arguments[0]}: no plan; at least one *.toml was expected")
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for plan in plans:
        print(f"plan {plan.name}: {plan.regions.primary} -> {plan.regions.standby}, valid")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
