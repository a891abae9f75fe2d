"""The faults of which scenarios are made, by what breaks."""

from __future__ import annotations

from drill import layout
from drill.faults import Fault, FaultKind

WRITES = ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems")


def dead(region: str) -> Fault:
    """Return a black hole in place of a whole Region: connections open and stay silent."""
    return Fault(FaultKind.HANG, region=region)


def failing_applications(region: str) -> tuple[Fault, ...]:
    """Return both applications of a Region answering 5xx."""
    return tuple(Fault(FaultKind.ERROR, region=region, service=name) for name in ("application", "legacy"))


def failing_tables(region: str, tables: tuple[str, ...]) -> tuple[Fault, ...]:
    """Return a Region's DynamoDB answering 500 for these tables alone: the state table is none of them."""
    return tuple(
        Fault(FaultKind.ERROR, region=region, service="dynamodb", resource=table) for table in tables
    )


def failing_writes(region: str) -> tuple[Fault, ...]:
    """Return a Region's DynamoDB failing every write, every read being fine."""
    return tuple(Fault(FaultKind.ERROR, region=region, service="dynamodb", operation=name) for name in WRITES)


def silent_alarms() -> tuple[Fault, ...]:
    """Return CloudWatch silent in both Regions: no alarm's change is heard of."""
    return tuple(Fault(FaultKind.HANG, region=name, service="monitoring") for name in layout.REGIONS)


def failing_route53() -> Fault:
    """Return Route 53's control plane refusing everything."""
    return Fault(FaultKind.ERROR, service="route53", status=503)


def stranded_changes() -> Fault:
    """Return Route 53 accepting changes that never become INSYNC."""
    return Fault(FaultKind.STRAND, service="route53", operation="GET */change/*")


def failing(region: str, tables: tuple[str, ...]) -> tuple[Fault, ...]:
    """Return a Region's tables and applications failing, its control plane and all else being well."""
    return (*failing_tables(region, tables), *failing_applications(region))
