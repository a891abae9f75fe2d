"""Where the rehearsal's pieces are and what they are called."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "drill"

PRIMARY = "eu-central-1"
STANDBY = "eu-west-1"  # also the control Region
REGIONS = (PRIMARY, STANDBY)
FURTHER = "eu-north-1"  # where a vantage point may look from
PRIMARY_ADDRESS = "127.0.0.10"
STANDBY_ADDRESS = "127.0.0.20"
NOWHERE = "127.0.0.30"  # a black hole

PLAN = "orders"
TABLE = "orders"
ZONE = "orders.example"
API_NAME = "api.orders.example"
LINODE_DOMAIN_ID = 123456
LINODE_DOMAIN = "legacy.example"
LINODE_NAME = "app.legacy.example"
LINODE_RECORDS = ("app", "shop")  # relative to the domain; the client `legacy` asks for the first
PARAMETER = "/orders/active-region"
STACK = "region-failover"
SIGNALS_STACK = "region-failover-signals"
VANTAGE_STACK = "region-failover-vantage"
VANTAGE_POINT = "north"
LINODE_TOKEN = "rehearsal-token"

# The rehearsal's one scale of time: its DNS answers with this part of each TTL (Linode's floor is 30 s).
TTL_SCALE = 0.2


@dataclass(frozen=True, slots=True)
class Tool:
    """A program in one of the virtual environments that `make setup` makes."""

    environment: str
    name: str

    @property
    def path(self) -> Path:
        """Return where it is."""
        return ROOT / ".venv" / self.environment / "bin" / self.name


MINISTACK = Tool("emulator", "ministack")
SAM = Tool("sam", "sam")
