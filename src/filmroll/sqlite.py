"""One SQLite file for one process: reads at once, writes in groups.

Reads run in the event loop's thread: in WAL mode they wait for nobody. Those that may have to look
at many rows have a thread and a connection of their own, one after the other. Writes go to a thread
that commits all that wait in one transaction. Several processes may share the file: they take turns
by a lock file, because SQLite's own waiting is neither fair nor quick.
"""

import asyncio
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import apsw

from filmroll.durable import PRIVATE, make_folders, translated
from filmroll.errors import InternalError, StorageFull, StoreUnavailable
from filmroll.groups import Committer

P = ParamSpec("P")
Result = TypeVar("Result")
_Write = Callable[[apsw.Connection], Any]

_FAILED_SYNCS = {apsw.SQLITE_IOERR_FSYNC, apsw.SQLITE_IOERR_DIR_FSYNC}
_OUTAGES = (
    apsw.BusyError,
    apsw.CantOpenError,
    apsw.CorruptError,
    apsw.FullError,
    apsw.IOError,
    apsw.NotADBError,
    apsw.ReadOnlyError,
)
_LOG_PAGES = 4000  # 16 MB; copied into the file so seldom, the log costs a tenth less time
_PATIENCE = 10_000  # ms to wait for a program that is not Filmroll, e.g. a backup


class Database:
    """A file with its schema. ``migrations`` lead from one ``user_version`` to the next."""

    def __init__(self, path: Path, migrations: Sequence[str]) -> None:
        """Open or create the file; StoreUnavailable if it cannot be used."""
        self._broken = False
        with translated(), _translated():
            make_folders(path.parent.absolute())
            self._lock = os.open(f"{path}-lock", os.O_RDWR | os.O_CREAT, PRIVATE)
            with self._turn():
                path.touch(PRIVATE)  # SQLite would let everyone read the secrets in it
                self._writer = _connect(path)
                _migrate(self._writer, migrations)
            self._reader, self._searcher = _connect_reader(path), _connect_reader(path)
        self._searches = ThreadPoolExecutor(1, f"filmroll-{path.stem}-search")
        self._writes: Committer[_Write, Any] = Committer(f"filmroll-{path.stem}", self._commit)

    def read(
        self,
        query: Callable[Concatenate[apsw.Connection, P], Result],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Result:
        """Run a query on what is committed."""
        with _translated():
            return query(self._reader, *args, **kwargs)

    async def search(
        self,
        query: Callable[Concatenate[apsw.Connection, P], Result],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Result:
        """Run a query that may take long, as ``read`` does, without holding up the event loop."""
        run = partial(query, self._searcher, *args, **kwargs)
        with _translated():
            return await asyncio.get_running_loop().run_in_executor(self._searches, run)

    async def write(
        self,
        change: Callable[Concatenate[apsw.Connection, P], Result],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Result:
        """Run a change in the next group, all of it or nothing; return when it is durable."""
        with _translated():
            result = await self._writes.commit(lambda writer: change(writer, *args, **kwargs))
        return cast("Result", result)

    async def close(self) -> None:
        """Finish what waits and close the file."""
        await self._writes.close()
        self._searches.shutdown()
        with _translated():
            self._reader.close()
            self._searcher.close()
            self._writer.close()
        os.close(self._lock)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Hold the lock file; the kernel frees it when a process dies."""
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _commit(self, changes: Sequence[_Write]) -> list[Any]:
        if self._broken:
            raise StoreUnavailable(
                "A commit could not be made durable before. This process takes no more of them "
                "until it is started anew; look at the disk first."
            )
        try:
            with _translated(), self._turn():
                return self._run(changes)
        except StoreUnavailable as exc:
            self._broken = getattr(exc.__cause__, "extendedresult", None) in _FAILED_SYNCS
            raise

    def _run(self, changes: Sequence[_Write]) -> list[Any]:
        """Run a group as one transaction; if a change fails, once more with each on its own.

        Savepoints cost two statements for each change, and hardly any change ever fails.
        """
        try:
            with self._transaction():
                results = [change(self._writer) for change in changes]
        except _OUTAGES:
            raise
        except Exception:  # noqa: BLE001 - the second run tells whose it is
            with self._transaction():
                results = [self._attempt(change) for change in changes]
        return results

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit at the end, or roll back.

        By statements: ``with connection`` would keep the interpreter's lock, and so the event
        loop, for as long as a commit waits for the disk.
        """
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._writer.execute("COMMIT")
        except BaseException:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise

    def _attempt(self, change: _Write) -> Any:
        """Run a change in a savepoint; return its error, unless it is the whole file's."""
        try:
            with self._writer:
                result = change(self._writer)
        except _OUTAGES:
            raise
        except Exception as exc:  # noqa: BLE001 - whatever it is, it is its caller's to see
            return exc
        return result


def rows(connection: apsw.Connection, statement: str, *values: Any) -> list[Any]:
    """Run a statement to its end; return its rows as tuples."""
    return connection.execute(statement, values).fetchall()


@contextmanager
def _translated() -> Iterator[None]:
    """Let no error of SQLite through."""
    try:
        yield
    except apsw.FullError as exc:
        raise StorageFull("There is no room left for the database. This was not kept.") from exc
    except _OUTAGES as exc:
        raise StoreUnavailable("The database cannot be used. Nothing was kept.") from exc
    except apsw.Error as exc:
        raise InternalError("The database refused a statement.") from exc


def _connect(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(_PATIENCE)
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    connection.pragma("wal_autocheckpoint", _LOG_PAGES)
    return connection


def _connect_reader(path: Path) -> apsw.Connection:
    connection = _connect(path)
    connection.pragma("query_only", 1)
    return connection


def _migrate(connection: apsw.Connection, migrations: Sequence[str]) -> None:
    with connection:
        version = connection.pragma("user_version")
        if version > len(migrations):
            raise StoreUnavailable("The database is of a newer Filmroll. Use that one.")
        for number, migration in enumerate(migrations[version:], version + 1):
            connection.execute(migration)
            connection.pragma("user_version", number)
