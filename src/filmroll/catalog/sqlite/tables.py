"""The tables of the catalog: what is searched is a column, the rest of a record is JSON."""

from collections.abc import Sequence
from typing import Any, Generic

import apsw

from filmroll.catalog.records import Record, decode, encode, others
from filmroll.model import (
    AccessKey,
    Batch,
    Endpoint,
    IdempotentRequest,
    Image,
    Job,
    KeptSource,
    Line,
    LineState,
    Preset,
    SigningKey,
    Upload,
    UploadPart,
    Variant,
    WebhookDelivery,
)
from filmroll.sqlite import Database, rows

# Ids are random: each index on them costs a page per write. Hence few indexes, and partial ones.
MIGRATIONS = (
    """
    CREATE TABLE images (
        id TEXT PRIMARY KEY, state TEXT NOT NULL, created_at REAL NOT NULL, batch TEXT,
        sha256 TEXT NOT NULL, record TEXT NOT NULL, purge_at REAL
    ) STRICT;
    CREATE INDEX images_newest ON images (created_at, id) WHERE state <> 'deleted';
    CREATE INDEX images_batch ON images (batch, created_at, id) WHERE batch IS NOT NULL;
    CREATE INDEX images_sha256 ON images (sha256);
    CREATE INDEX images_purge ON images (purge_at) WHERE purge_at IS NOT NULL;

    CREATE TABLE tags (
        tag TEXT, created_at REAL, image TEXT, PRIMARY KEY (tag, created_at, image)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE variants (
        image TEXT, recipe TEXT, created_at REAL NOT NULL, record TEXT NOT NULL,
        PRIMARY KEY (image, recipe)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE jobs (
        id TEXT PRIMARY KEY, image TEXT NOT NULL, state TEXT NOT NULL, due_at REAL NOT NULL,
        record TEXT NOT NULL
    ) STRICT;
    CREATE INDEX jobs_due ON jobs (due_at) WHERE state IN ('queued', 'running');
    CREATE INDEX jobs_image ON jobs (image) WHERE state IN ('queued', 'running');

    CREATE TABLE presets (name TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT;

    CREATE TABLE access_keys (
        id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, created_at REAL NOT NULL,
        record TEXT NOT NULL
    ) STRICT;

    CREATE TABLE signing_keys (
        id TEXT PRIMARY KEY, created_at REAL NOT NULL, record TEXT NOT NULL
    ) STRICT;

    CREATE TABLE requests (
        key TEXT PRIMARY KEY, expires_at REAL NOT NULL, record TEXT NOT NULL
    ) STRICT;
    CREATE INDEX requests_expiry ON requests (expires_at);
    """,
    """
    ALTER TABLE images ADD COLUMN purged INTEGER NOT NULL DEFAULT 0; -- once, of a tombstone
    """,
    """
    ALTER TABLE jobs ADD COLUMN finished_at REAL;
    UPDATE jobs SET finished_at = record ->> '$.finished_at';
    CREATE INDEX jobs_ended ON jobs (finished_at) WHERE finished_at IS NOT NULL;
    """,
    """
    CREATE TABLE batches (
        id TEXT PRIMARY KEY, name TEXT, state TEXT NOT NULL, created_at REAL NOT NULL,
        expires_at REAL NOT NULL, record TEXT NOT NULL
    ) STRICT;
    CREATE INDEX batches_newest ON batches (created_at, id);
    CREATE INDEX batches_name ON batches (name, created_at, id) WHERE name IS NOT NULL;
    CREATE INDEX batches_open ON batches (expires_at) WHERE state = 'open';

    CREATE TABLE lines (
        batch TEXT, number INTEGER, ref TEXT NOT NULL, state TEXT NOT NULL, record TEXT NOT NULL,
        PRIMARY KEY (batch, number), UNIQUE (batch, ref)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX lines_failed ON lines (batch, number) WHERE state = 'failed';
    CREATE INDEX lines_declared ON lines (batch, number) WHERE state = 'declared';
    """,
    """
    ALTER TABLE batches ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX batches_untold ON batches (id) WHERE NOT told AND state NOT IN ('open', 'sealed');

    CREATE TABLE endpoints (
        id TEXT PRIMARY KEY, created_at REAL NOT NULL, record TEXT NOT NULL
    ) STRICT;

    CREATE TABLE deliveries (
        id TEXT PRIMARY KEY, endpoint TEXT NOT NULL, state TEXT NOT NULL, created_at REAL NOT NULL,
        due_at REAL NOT NULL, finished_at REAL, record TEXT NOT NULL
    ) STRICT;
    CREATE INDEX deliveries_newest ON deliveries (endpoint, created_at, id);
    CREATE INDEX deliveries_failed ON deliveries (endpoint, created_at, id) WHERE state = 'failed';
    CREATE INDEX deliveries_due ON deliveries (endpoint, due_at) WHERE state = 'pending';
    CREATE INDEX deliveries_ended ON deliveries (finished_at) WHERE finished_at IS NOT NULL;
    """,
    """
    CREATE TABLE uploads (id TEXT PRIMARY KEY, expires_at REAL, record TEXT NOT NULL) STRICT;
    CREATE INDEX uploads_due ON uploads (expires_at) WHERE expires_at IS NOT NULL;

    CREATE TABLE parts (
        upload TEXT, number INTEGER, record TEXT NOT NULL, PRIMARY KEY (upload, number)
    ) STRICT, WITHOUT ROWID;
    """,
    """
    CREATE INDEX batches_waiting ON batches (created_at)
        WHERE state <> 'open' AND record ->> '$.counts.open' > 0;
    CREATE INDEX lines_queued ON lines (batch, number) WHERE state = 'queued';
    """,
    """
    CREATE TABLE infos (image TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT;

    CREATE TABLE looks (
        band INTEGER, created_at REAL, image TEXT, phash TEXT NOT NULL,
        PRIMARY KEY (band, created_at, image)
    ) STRICT, WITHOUT ROWID;
    """,
    """
    CREATE TABLE sources (id TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT;
    """,
)

AT_ONCE = 1000  # rows forgotten in one step, so that others' writes come between
INDEXED_LINES = {LineState.FAILED, LineState.DECLARED, LineState.QUEUED}  # that are looked for
WAITING = "state <> 'open' AND record ->> '$.counts.open' > 0"  # of batches; spelled as above
OPEN = "state IN ('queued', 'running')"  # of jobs; spelled as in their partial indexes


class Table(Generic[Record]):
    """Records of one kind under a primary key."""

    def __init__(
        self, name: str, kind: type[Record], key: Sequence[str], columns: Sequence[str] = ()
    ) -> None:
        """``key`` and ``columns`` name the fields that have a column of their own."""
        self._kind = kind
        self._columns = (*key, *columns)
        self._others = others(kind, self._columns)
        names = (*self._columns, "record")
        marks = ", ".join("?" * len(names))
        insert = f"INSERT INTO {name} ({', '.join(names)}) VALUES ({marks}) ON CONFLICT "  # noqa: S608 - our own names
        update = ", ".join(f"{column} = excluded.{column}" for column in (*columns, "record"))
        self._add = f"{insert} DO NOTHING"
        self._put = f"{insert} ({', '.join(key)}) DO UPDATE SET {update}"
        chosen = ", ".join(f"{name}.{column}" for column in names)
        self._select = f"SELECT {chosen} FROM {name} "  # noqa: S608 - our own names
        self._by_key = f"WHERE ({', '.join(key)}) = ({', '.join('?' * len(key))})"

    def get(self, connection: apsw.Connection, *key: str | int) -> Record | None:
        """Return the record under a key."""
        found = self.select(connection, self._by_key, *key)
        return found[0] if found else None

    def select(self, connection: apsw.Connection, which: str, *values: Any) -> list[Record]:
        """Return records; ``which`` is what follows the table's name in a SELECT."""
        found = rows(connection, self._select + which, *values)
        return [self._record(row) for row in found]

    def add(self, connection: apsw.Connection, record: Record) -> bool:
        """Insert a record; False, and no change, if it would collide with another."""
        rows(connection, self._add, *self._row(record))
        return connection.changes() == 1

    def put(self, connection: apsw.Connection, record: Record) -> None:
        """Insert or replace a record."""
        rows(connection, self._put, *self._row(record))

    def _row(self, record: Record) -> Sequence[Any]:
        columns = [getattr(record, column) for column in self._columns]
        return (*columns, encode(record, self._others))

    def _record(self, row: tuple[Any, ...]) -> Record:
        return decode(self._kind, row[-1], dict(zip(self._columns, row[:-1], strict=True)))


IMAGES = Table("images", Image, ["id"], ["state", "created_at", "batch", "sha256"])
VARIANTS = Table("variants", Variant, ["image", "recipe"], ["created_at"])
JOBS = Table("jobs", Job, ["id"], ["image", "state", "due_at", "finished_at"])
BATCHES = Table("batches", Batch, ["id"], ["name", "state", "created_at", "expires_at", "told"])
LINES = Table("lines", Line, ["batch", "ref"], ["number", "state"])
PRESETS = Table("presets", Preset, ["name"])
ACCESS_KEYS = Table("access_keys", AccessKey, ["id"], ["hash", "created_at"])
SIGNING_KEYS = Table("signing_keys", SigningKey, ["id"], ["created_at"])
ENDPOINTS = Table("endpoints", Endpoint, ["id"], ["created_at"])
DELIVERIES = Table(
    "deliveries",
    WebhookDelivery,
    ["id"],
    ["endpoint", "state", "created_at", "due_at", "finished_at"],
)
UPLOADS = Table("uploads", Upload, ["id"], ["expires_at"])
PARTS = Table("parts", UploadPart, ["upload", "number"])
SOURCES = Table("sources", KeptSource, ["id"])
REQUESTS = Table("requests", IdempotentRequest, ["key"], ["expires_at"])


class Part:
    """What the parts of the catalog share."""

    _db: Database
