"""What the functions' requests say, read off the wire: DynamoDB, Route 53, SSM, EventBridge, SNS.

Bodies in, plain data out; nothing here knows of time, of workers or of histories.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

from drill.exchanges import Exchange, RecordChange, weight_of

Data = dict[str, Any]


def asked(exchange: Exchange) -> Data:
    """Return a JSON request's body."""
    found = json.loads(exchange.body or b"{}")
    return found if isinstance(found, dict) else {}


def answered(exchange: Exchange) -> Data:
    """Return a JSON reply's body."""
    found = json.loads(exchange.reply or b"{}")
    return found if isinstance(found, dict) else {}


def form(exchange: Exchange) -> dict[str, str]:
    """Return the fields of a form, as the query protocol sends them."""
    return {name: values[0] for name, values in parse_qs(exchange.body.decode()).items()}


def query(exchange: Exchange) -> dict[str, str]:
    """Return the fields of the URL's query."""
    return {name: values[0] for name, values in parse_qs(urlsplit(exchange.path).query).items()}


def path(exchange: Exchange) -> list[str]:
    """Return the parts of the URL's path."""
    return urlsplit(exchange.path).path.strip("/").split("/")


def text_of(item: Data, name: str) -> str:
    """Return a DynamoDB item's text or number, '' where it has none."""
    return str(next(iter(item.get(name, {"S": ""}).values())))


def error_code(exchange: Exchange) -> str:
    """Return the code of an error reply, of whichever protocol; '' where it has none."""
    try:
        if exchange.reply.lstrip()[:1] == b"{":
            return str(answered(exchange).get("__type", "")).rsplit("#", 1)[-1]
        return _find(ElementTree.fromstring(exchange.reply), "Code")
    except (ValueError, ElementTree.ParseError):
        return ""


def record_sets(exchange: Exchange) -> list[RecordChange]:
    """Return the record sets in a reply of ListResourceRecordSets, each as if it were to be created."""
    return [
        RecordChange(
            "CREATE",
            _find(found, "Name").rstrip(".").lower(),
            _find(found, "Type"),
            int(_find(found, "TTL") or 0),
            tuple(sorted(value.text or "" for value in found.iterfind(".//{*}ResourceRecord/{*}Value"))),
            *weight_of(found),
        )
        for found in ElementTree.fromstring(exchange.reply).iterfind(".//{*}ResourceRecordSet")
    ]


def next_name(exchange: Exchange) -> str:
    """Return the name with which the next page of ListResourceRecordSets begins, '' where there is none."""
    root = ElementTree.fromstring(exchange.reply)
    if _find(root, "IsTruncated") != "true":
        return ""
    return _find(root, "NextRecordName").rstrip(".").lower()


def change_info(exchange: Exchange) -> tuple[str, str]:
    """Return id and status of the change in a reply of Route 53."""
    root = ElementTree.fromstring(exchange.reply)
    return _find(root, "Id").rsplit("/", 1)[-1], _find(root, "Status")


def _find(element: ElementTree.Element, name: str) -> str:
    return (element.findtext(f".//{{*}}{name}") or "").strip()
