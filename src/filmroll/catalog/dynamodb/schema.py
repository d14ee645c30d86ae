"""The one table, its indexes, and what its keys are made of.

An item is found by ``pk`` and ``sk``. All indexes hold keys only, so that a change of an item's
content costs nothing there, and all are sparse: an item that has not their keys is not in them.

========  =============  =====================================================================
index     keys           finds
========  =============  =====================================================================
newest    ``lk``, ``ls``  images (in shards), batches, and an endpoint's deliveries, newest first
group     ``gk``, ``ls``  a batch's images, the batches of one name, newest first
twins     ``sha``, ``ls`` images of the same bytes
due       ``dk``, ``ds``  what has to be looked at, by the time from which on
========  =============  =====================================================================
"""

import zlib
from collections.abc import Mapping
from typing import Any

RECORD = "record"  # the ``sk`` of an item that is alone under its ``pk``, or first
SHARDS = 8  # over which images and jobs are spread: a key of an index takes 1,000 writes a second
NEWEST, GROUP, TWINS, DUE = "newest", "group", "twins", "due"

_INDEXES = {NEWEST: ("lk", "ls"), GROUP: ("gk", "ls"), TWINS: ("sha", "ls"), DUE: ("dk", "ds")}
_TYPES = {"ds": "N"}  # all others are strings


def definition(table: str) -> dict[str, Any]:
    """Return what CreateTable is told, and CloudFormation."""
    keys = {"pk", "sk"} | {name for pair in _INDEXES.values() for name in pair}
    return {
        "TableName": table,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": _TYPES.get(name, "S")} for name in sorted(keys)
        ],
        "KeySchema": _key_schema("pk", "sk"),
        "GlobalSecondaryIndexes": [
            {
                "IndexName": name,
                "KeySchema": _key_schema(*pair),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
            for name, pair in _INDEXES.items()
        ],
    }


EXPIRY = {"AttributeName": "ttl", "Enabled": True}  # answers under an Idempotency-Key go by it


def keys_of(index: str) -> tuple[str, str]:
    """Return the names of an index's keys."""
    return _INDEXES[index]


def moment(created_at: float, id_: str = "") -> str:
    """Return a time, and the id that breaks ties, as text that sorts as they do."""
    return f"{created_at:020.9f}#{id_}"


def shard(id_: str) -> int:
    """Return which shard an id belongs to."""
    return zlib.crc32(id_.encode()) % SHARDS


def _key_schema(partition: str, order: str) -> list[Mapping[str, str]]:
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": order, "KeyType": "RANGE"},
    ]
