"""The ledger of a batch: a log of changes, each with the sums as they are after it.

Whoever changes something appends one item, under the number that follows the last one it has seen;
if somebody else has taken that number, it reads on and decides anew. So all agree on one order,
a change of a thousand lines costs what is new of them, and the batch is what its last entry says.
"""

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import MISSING, fields
from itertools import islice
from typing import Any, NamedTuple

from pydantic_core import to_json

from filmroll.catalog.dynamodb.record import read_delivery, write_delivery
from filmroll.catalog.dynamodb.schema import moment
from filmroll.catalog.dynamodb.table import ABSENT, Item, Key, Table, number, text
from filmroll.catalog.records import decode, decoded, encode, others
from filmroll.model import Batch, Line, WebhookDelivery, now
from filmroll.ports import Entry

HEAD = "head"  # the ``sk`` of what a batch was when it began; sorts before its log
_LOG = "log#"
LISTING = "batches"  # where in the index of what is new the batches stand
_MOST_LINES = 500  # of an entry
_MOST_BYTES = 450_000  # of them before they are packed: an item holds 400 KB
_BATCH_FIELDS = others(Batch, ())
_LINE_FIELDS = others(Line, ("batch",))
_DEFAULTS = {
    field.name: field.default if field.default_factory is MISSING else field.default_factory()
    for field in fields(Line)
    if field.name not in {"batch", "ref", "state", "at"}
}

Changes = Sequence[tuple[Line | None, Line]]  # a line before, and after


class Last(NamedTuple):
    """The last entry of a log: the batch as it stands."""

    batch: Batch
    number: int
    at: float
    outgoing: Sequence[WebhookDelivery]  # that the entry tells of


class Ledger:
    """What this process knows of a batch: the fold of its log up to the entry ``seen``."""

    def __init__(self, table: Table, batch: str) -> None:
        self._table = table
        self._id = batch
        self.seen = -1  # not even the head
        self.batch: Batch | None = None
        self.lines: dict[str, Line] = {}
        self._order: list[str] = []  # refs by their line's number, from 1

    async def refresh(self) -> None:
        """Read what has been appended meanwhile."""
        if self.seen < 0:
            head = await self._table.get(*head_key(self._id))
            if head is None:
                return
            self.batch, self.seen = _batch(head), 0
        async for item in self._table.query(self._id, _sk(self.seen + 1), f"{_LOG}~"):
            self._take(_batch(item), _unpacked(item, self._id))

    async def append(self, after: Batch, changes: Changes) -> bool:
        """Write what follows; False, and no change, if somebody else has been first."""
        lines = [line for _, line in changes]
        if not await append(self._table, after, self.seen + 1, lines):
            return False
        self._take(after, lines)
        return True

    def in_order(self, after: int = 0) -> Iterator[Line]:
        """Yield the lines whose number is over ``after``."""
        return (self.lines[ref] for ref in islice(self._order, after, None))

    def _take(self, batch: Batch, lines: Iterable[Line]) -> None:
        self.batch = batch
        self.seen += 1
        for line in lines:
            if line.ref not in self.lines:
                self._order.append(line.ref)
            self.lines[line.ref] = line


async def append(
    table: Table,
    batch: Batch,
    number_: int,
    lines: Sequence[Line] = (),
    outgoing: Sequence[WebhookDelivery] = (),
) -> bool:
    """Write an entry under its number; False, and no change, if that is taken."""
    item: dict[str, Any] = {
        "pk": text(batch.id),
        "sk": text(_sk(number_)),
        "at": number(now()),
        "batch": text(encode(batch, _BATCH_FIELDS)),
    }
    if lines:
        item["lines"] = {"B": zlib.compress(_packed(lines), 1)}
    if outgoing:
        item["outgoing"] = {"L": [write_delivery(one) for one in outgoing]}
    return await table.put(item, ABSENT)


async def last_of(table: Table, batch: str) -> Last | None:
    """Return the last entry of a batch's log, or what it began as."""
    query = table.query(batch, HEAD, f"{_LOG}~", backwards=True, limit=1)
    async for item in query:
        sk = item["sk"]["S"]
        return Last(
            _batch(item),
            0 if sk == HEAD else int(sk.removeprefix(_LOG)),
            float(item["at"]["N"]),
            [read_delivery(one) for one in item.get("outgoing", {"L": []})["L"]],
        )
    return None


def head_key(batch: str) -> Key:
    """Return the key of what a batch began as."""
    return batch, HEAD


def head_item(batch: Batch) -> dict[str, Any]:
    """Return the item of what a batch begins as, with its places in the listings."""
    item = {
        "pk": text(batch.id),
        "sk": text(HEAD),
        "at": number(now()),
        "batch": text(encode(batch, _BATCH_FIELDS)),
        "marked": number(0),
        "lk": text(LISTING),
        "ls": text(moment(batch.created_at, batch.id)),
    }
    return item | ({} if batch.name is None else {"gk": text(name_partition(batch.name))})


def name_partition(name: str) -> str:
    """Return where in the index of groups the batches of one name stand."""
    return f"name#{name}"


def fitting(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """Yield entries in pieces whose lines fit one item."""
    piece: list[Entry] = []
    size = 0
    for entry in entries:
        more = len(_packed([entry.line]))
        if piece and (size + more > _MOST_BYTES or len(piece) == _MOST_LINES):
            yield piece
            piece, size = [], 0
        piece.append(entry)
        size += more
    if piece:
        yield piece


def _sk(number_: int) -> str:
    return f"{_LOG}{number_:010}"


def _batch(item: Item) -> Batch:
    return decode(Batch, item["batch"]["S"], {})


def _packed(lines: Sequence[Line]) -> bytes:
    """Return lines as JSON, without what is as always."""
    return to_json(
        [
            {
                name: getattr(line, name)
                for name in _LINE_FIELDS
                if name not in _DEFAULTS or getattr(line, name) != _DEFAULTS[name]
            }
            for line in lines
        ]
    )


def _unpacked(item: Item, batch: str) -> list[Line]:
    if "lines" not in item:
        return []
    found = json.loads(zlib.decompress(item["lines"]["B"]))
    return [decoded(Line, _DEFAULTS | line | {"batch": batch}) for line in found]
