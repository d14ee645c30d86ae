"""The ledger of a batch: a log of changes, each with the sums as they are after it.

Whoever changes something appends one item, under the number that follows the last one it has seen;
if somebody else has taken that number, it reads on and decides anew. So all agree on one order,
a change of a thousand lines costs what is new of them, and the batch is what its last entry says.
"""

import json
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import MISSING, fields
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

from pydantic_core import to_json

from filmroll.catalog.dynamodb.record import pack, unpack
from filmroll.catalog.dynamodb.schema import moment
from filmroll.catalog.dynamodb.table import ABSENT, Item, Key, Table, number, text
from filmroll.catalog.records import decoded, others
from filmroll.model import Batch, Line, LineState, WebhookDelivery, new_id, now

HEAD = "head"  # the ``sk`` of what a batch was when it began; sorts before its log
_LOG = "log#"
LISTING = "batches"  # where in the index of what is new the batches stand
_MOST_LINES = 500  # of an entry
_MOST_BYTES = 450_000  # of them before they are packed: an item holds 400 KB
_LINE_FIELDS = others(Line, ("batch",))
_STATES = list(LineState)
_DEFAULTS = {
    field.name: field.default if field.default_factory is MISSING else field.default_factory()
    for field in fields(Line)
    if field.name not in {"batch", "ref", "state", "at", "number"}
}

Piece = TypeVar("Piece")
Changes = Sequence[tuple[Line | None, Line]]  # a line before, and after


class Last(NamedTuple):
    """The last entry of a log: the batch as it stands."""

    batch: Batch
    number: int
    at: float
    outgoing: Sequence[WebhookDelivery]  # that the entry tells of


class Ledger:
    """What this process knows of a batch: the fold of its log up to the entry ``seen``.

    Its lines stay packed: there may be very many, and few are looked at.
    """

    def __init__(self, table: Table, batch: str) -> None:
        self._table = table
        self._id = batch
        self.seen = -1  # not even the head
        self.batch: Batch | None = None
        self._lines: dict[str, bytes] = {}
        self._order: list[str] = []  # refs by their line's number, from 1
        self._states = bytearray()  # in the same order

    async def refresh(self) -> None:
        """Read what has been appended meanwhile."""
        if self.seen < 0:
            head = await self._table.get(*head_key(self._id))
            if head is None:
                return
            self.batch, self.seen = _batch(head), 0
        async for item in self._table.query(self._id, _sk(self.seen + 1), f"{_LOG}~"):
            self._take(_batch(item), _unpacked(item))

    async def append(self, after: Batch, changes: Changes) -> bool:
        """Write what follows; False, and no change, if somebody else has been first."""
        lines = [line for _, line in changes]
        if not await append(self._table, after, self.seen + 1, lines):
            return False
        self._take(after, [_told(line) for line in lines])
        return True

    def __len__(self) -> int:
        return len(self._order)

    def line(self, ref: str) -> Line | None:
        """Return the line of a ref."""
        packed = self._lines.get(ref)
        if packed is None:
            return None
        return decoded(Line, _DEFAULTS | json.loads(packed) | {"batch": self._id, "ref": ref})

    def in_order(
        self, states: Collection[LineState] = tuple(LineState), after: int = 0
    ) -> Iterator[Line]:
        """Yield the lines in one of the states, from the number that follows ``after``."""
        wanted = {_STATES.index(state) for state in states}
        for place in range(after, len(self._order)):
            if self._states[place] in wanted and (line := self.line(self._order[place])):
                yield line

    def _take(self, batch: Batch, lines: Iterable[dict[str, Any]]) -> None:
        self.batch = batch
        self.seen += 1
        for line in lines:
            ref, state = line.pop("ref"), _STATES.index(line["state"])
            if ref not in self._lines:
                self._order.append(ref)
                self._states.append(state)
            self._states[line["number"] - 1] = state
            self._lines[ref] = to_json(line)


async def append(
    table: Table,
    batch: Batch,
    number_: int,
    lines: Sequence[Line] = (),
    outgoing: Sequence[WebhookDelivery] = (),
) -> bool:
    """Write an entry under its number; False, and no change, if that is taken.

    A request whose answer was lost is sent again by the client, and then finds its own entry there.
    """
    token = text(new_id())
    item: dict[str, Any] = {
        "pk": text(batch.id),
        "sk": text(_sk(number_)),
        "at": number(now()),
        "batch": pack(batch),
        "token": token,
    }
    if lines:
        item["lines"] = {"B": zlib.compress(_packed(lines), 1)}
    if outgoing:
        item["outgoing"] = {"L": [pack(one) for one in outgoing]}
    if await table.put(item, ABSENT):
        return True
    there = await table.get(batch.id, _sk(number_))
    return there is not None and there.get("token") == token


async def last_of(table: Table, batch: str) -> Last | None:
    """Return the last entry of a batch's log, or what it began as."""
    query = table.query(batch, HEAD, f"{_LOG}~", backwards=True, limit=1)
    async for item in query:
        sk = item["sk"]["S"]
        return Last(
            _batch(item),
            0 if sk == HEAD else int(sk.removeprefix(_LOG)),
            float(item["at"]["N"]),
            [unpack(WebhookDelivery, one) for one in item.get("outgoing", {"L": []})["L"]],
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
        "batch": pack(batch),
        "marked": number(0),
        "lk": text(LISTING),
        "ls": text(moment(batch.created_at, batch.id)),
    }
    return item | ({} if batch.name is None else {"gk": text(name_partition(batch.name))})


def name_partition(name: str) -> str:
    """Return where in the index of groups the batches of one name stand."""
    return f"name#{name}"


def fitting(pieces: Sequence[Piece], line_of: Callable[[Piece], Line]) -> Iterator[list[Piece]]:
    """Yield what comes with lines in groups whose lines fit one item."""
    group: list[Piece] = []
    size = 0
    for piece in pieces:
        more = len(_packed([line_of(piece)]))
        if group and (size + more > _MOST_BYTES or len(group) == _MOST_LINES):
            yield group
            group, size = [], 0
        group.append(piece)
        size += more
    if group:
        yield group


def first_fitting(changes: Changes) -> Changes:
    """Return as many of the changes, from the first one on, as fit one item."""
    return next(fitting(changes, itemgetter(1)), [])


def _sk(number_: int) -> str:
    return f"{_LOG}{number_:010}"


def _batch(item: Item) -> Batch:
    return unpack(Batch, item["batch"])


def _packed(lines: Sequence[Line]) -> bytes:
    return to_json([_told(line) for line in lines])


def _told(line: Line) -> dict[str, Any]:
    """Return what there is to say of a line: not what is as always."""
    return {
        name: getattr(line, name)
        for name in _LINE_FIELDS
        if name not in _DEFAULTS or getattr(line, name) != _DEFAULTS[name]
    }


def _unpacked(item: Item) -> list[dict[str, Any]]:
    if "lines" not in item:
        return []
    found: list[dict[str, Any]] = json.loads(zlib.decompress(item["lines"]["B"]))
    return found
