"""The queue in one SQLite file of its own, so that its writes wait for none of the catalog's."""

# ruff: noqa: D102 - ports.JobQueue says what each method promises

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import apsw

from filmroll.errors import StoreUnavailable
from filmroll.model import Lane, new_id, now
from filmroll.ports import Delivery, Depth
from filmroll.queues.waiting import Bell, first
from filmroll.sqlite import Database, rows

# A message is out on lease while ``leased`` is set and ``visible_at`` is ahead. Its id is never
# used again (AUTOINCREMENT), so id and attempt make a receipt that no other delivery can have.
_MIGRATIONS = (
    """
    CREATE TABLE messages (
        id INTEGER PRIMARY KEY AUTOINCREMENT, lane TEXT NOT NULL, job TEXT NOT NULL,
        visible_at REAL NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
        leased INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX messages_due ON messages (lane, visible_at, leased);
    CREATE TABLE dead_letters (
        id INTEGER PRIMARY KEY, lane TEXT NOT NULL, job TEXT NOT NULL
    ) STRICT;
    CREATE INDEX dead_letters_lane ON dead_letters (lane);
    """,
    "ALTER TABLE dead_letters ADD COLUMN died_at REAL NOT NULL DEFAULT 0",
)


class _Taken(NamedTuple):
    """A message in hand."""

    number: int
    job: str
    attempts: int

    @property
    def receipt(self) -> str:
        return f"{self.number}.{self.attempts}"


class SqliteQueue:
    """Messages in a table. Several processes may share the file."""

    def __init__(self, path: Path, max_attempts: int = 5) -> None:
        """Open or create the file; StoreUnavailable if it cannot be used."""
        self._db = Database(path, _MIGRATIONS)
        self._max_attempts = max_attempts
        self._bell = Bell()

    async def send(self, lane: Lane, jobs: Sequence[str]) -> None:
        await self._db.write(_send, lane, jobs)
        self._bell.ring()

    async def receive(
        self, lane: Lane, limit: int, lease: float, wait: float
    ) -> Sequence[Delivery]:
        async def take() -> Sequence[Delivery]:
            if not self._db.read(_is_due, lane):
                return ()
            taken = await self._db.write(_take, lane, limit, lease, self._max_attempts)
            return [
                Delivery(job=each.job, lane=lane, attempts=each.attempts, receipt=each.receipt)
                for each in taken
            ]

        return await first(take, self._bell, wait)

    async def extend(self, delivery: Delivery, lease: float) -> bool:
        return await self._db.write(_extend, delivery.receipt, lease)

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        await self._db.write(_ack, [delivery.receipt for delivery in deliveries])

    async def release(self, delivery: Delivery, delay: float) -> None:
        await self._db.write(_release, delivery.receipt, delay)
        self._bell.ring()

    async def depth(self, lane: Lane) -> Depth:
        return self._db.read(_count, lane)

    async def dead(self, limit: int) -> Sequence[str]:
        return self._db.read(_dead, limit)

    async def redrive(self, limit: int | None = None) -> int:
        moved = await self._db.write(_redrive, -1 if limit is None else limit)
        self._bell.ring()
        return moved

    async def expire_dead(self, before: float) -> None:
        await self._db.write(rows, "DELETE FROM dead_letters WHERE died_at < ?", before)

    async def check(self) -> None:
        lane, job = f"check/{new_id()}", "check"
        await self._db.write(_send, lane, [job])
        taken = await self._db.write(_take, lane, 1, 60, self._max_attempts)
        await self._db.write(_ack, [message.receipt for message in taken])
        if [message.job for message in taken] != [job]:
            raise StoreUnavailable("The queue does not deliver what was sent to it.")

    async def close(self) -> None:
        await self._db.close()


def _send(connection: apsw.Connection, lane: str, jobs: Sequence[str]) -> None:
    messages = [(lane, job, now()) for job in jobs]
    connection.executemany(
        "INSERT INTO messages (lane, job, visible_at) VALUES (?, ?, ?)", messages
    )


def _is_due(connection: apsw.Connection, lane: str) -> bool:
    query = "SELECT 1 FROM messages WHERE lane = ? AND visible_at <= ? LIMIT 1"
    return bool(rows(connection, query, lane, now()))


def _take(
    connection: apsw.Connection, lane: str, limit: int, lease: float, most: int
) -> Sequence[_Taken]:
    """Lease the messages that wait the longest; those delivered too often become dead letters."""
    due = (
        "SELECT id, job, attempts FROM messages WHERE lane = ? AND visible_at <= ? "
        "ORDER BY visible_at LIMIT ?"
    )
    while found := [_Taken(*row) for row in rows(connection, due, lane, now(), limit)]:
        fit = [message for message in found if message.attempts < most]
        _bury(connection, lane, [message for message in found if message.attempts >= most])
        if fit:
            _lease(connection, fit, lease)
            return [message._replace(attempts=message.attempts + 1) for message in fit]
    return ()


def _lease(connection: apsw.Connection, messages: Sequence[_Taken], lease: float) -> None:
    connection.executemany(
        "UPDATE messages SET attempts = attempts + 1, leased = 1, visible_at = ? WHERE id = ?",
        [(now() + lease, message.number) for message in messages],
    )


def _bury(connection: apsw.Connection, lane: str, messages: Sequence[_Taken]) -> None:
    for message in messages:
        rows(connection, "DELETE FROM messages WHERE id = ?", message.number)
        bury = "INSERT INTO dead_letters (lane, job, died_at) VALUES (?, ?, ?)"
        rows(connection, bury, lane, message.job, now())


def _held(connection: apsw.Connection, receipt: str) -> str | None:
    """Return the number of the message that a receipt is still good for."""
    number, _, attempts = receipt.partition(".")
    query = "SELECT 1 FROM messages WHERE id = ? AND attempts = ? AND leased AND visible_at > ?"
    return number if rows(connection, query, number, attempts, now()) else None


def _extend(connection: apsw.Connection, receipt: str, lease: float) -> bool:
    number = _held(connection, receipt)
    extend = "UPDATE messages SET visible_at = ? WHERE id = ?"
    rows(connection, extend, now() + lease, number)
    return number is not None


def _ack(connection: apsw.Connection, receipts: Sequence[str]) -> None:
    for receipt in receipts:
        number = _held(connection, receipt)
        rows(connection, "DELETE FROM messages WHERE id = ?", number)


def _release(connection: apsw.Connection, receipt: str, delay: float) -> None:
    number = _held(connection, receipt)
    release = "UPDATE messages SET leased = 0, visible_at = ? WHERE id = ?"
    rows(connection, release, now() + delay, number)


def _count(connection: apsw.Connection, lane: str) -> Depth:
    query = """
        SELECT count(*), (SELECT count(*) FROM dead_letters WHERE lane = ?1),
            (SELECT count(*) FROM messages WHERE lane = ?1 AND visible_at > ?2 AND leased)
        FROM messages WHERE lane = ?1
    """
    ((messages, dead, leased),) = rows(connection, query, lane, now())
    return Depth(waiting=messages - leased, leased=leased, dead=dead)


def _redrive(connection: apsw.Connection, limit: int) -> int:
    statement = """
        DELETE FROM dead_letters WHERE id IN (SELECT id FROM dead_letters ORDER BY id LIMIT ?)
        RETURNING lane, job
    """
    letters = rows(connection, statement, limit)
    for lane, job in letters:
        _send(connection, lane, [job])
    return len(letters)


def _dead(connection: apsw.Connection, limit: int) -> Sequence[str]:
    query = "SELECT job FROM dead_letters ORDER BY id LIMIT ?"
    return [job for (job,) in rows(connection, query, limit)]
