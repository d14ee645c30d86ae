"""The stores that the settings name."""

import os
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filmroll.blobs.disk import DiskBlobs
from filmroll.catalog.sqlite import SqliteCatalog
from filmroll.catalog.tombstones import Fading, Tombstones
from filmroll.durable import make_folders
from filmroll.errors import StorageFull, StoreUnavailable
from filmroll.ports import BlobStore, Catalog, Epochs, JobQueue
from filmroll.queues.sqlite import SqliteQueue
from filmroll.settings import CannotStart, Role, Settings
from filmroll.wiring import remote


@dataclass(frozen=True, kw_only=True, slots=True)
class Stores:
    """The three stores, and what tells the caches of this machine about changes."""

    blobs: BlobStore
    catalog: Catalog
    queue: JobQueue
    epochs: Epochs


@asynccontextmanager
async def open_stores(settings: Settings) -> AsyncIterator[Stores]:
    """Open the stores that the settings name; close them at the end."""
    async with AsyncExitStack() as stack:
        with _opening(settings.data):
            _require_writable(settings.data)
            tombstones = Tombstones(settings.data / "epochs")
        yield Stores(
            blobs=await _open_blobs(settings, stack),
            catalog=await _open_catalog(settings, stack),
            queue=await _open_queue(settings, stack),
            epochs=Fading(tombstones) if settings.place("catalog") else tombstones,
        )


async def _open_blobs(settings: Settings, stack: AsyncExitStack) -> BlobStore:
    if place := settings.place("blobs"):
        return await stack.enter_async_context(remote.open_blobs(place, settings.data / "opened"))
    with _opening(settings.data):
        blobs = DiskBlobs(settings.store_path("blobs", "blobs"))
    stack.push_async_callback(blobs.close)
    return blobs


async def _open_catalog(settings: Settings, stack: AsyncExitStack) -> Catalog:
    if place := settings.place("catalog"):
        return await stack.enter_async_context(remote.open_catalog(place))
    with _opening(settings.data):
        catalog = SqliteCatalog(settings.store_path("catalog", "catalog.db"))
    stack.push_async_callback(catalog.close)
    return catalog


async def _open_queue(settings: Settings, stack: AsyncExitStack) -> JobQueue:
    if place := settings.place("queue"):
        return await stack.enter_async_context(remote.open_queue(place))
    with _opening(settings.data):
        queue = SqliteQueue(settings.store_path("queue", "queue.db"))
    stack.push_async_callback(queue.close)
    return queue


def internal_token(settings: Settings, role: Role) -> str:
    """Return the secret of the roles on one data folder; whoever comes first makes it."""
    if settings.internal_token:
        return settings.internal_token
    if settings.place("catalog") and role is not Role.ALL:
        raise CannotStart(
            "FILMROLL_INTERNAL_TOKEN is missing: the roles share a catalog, but no data folder in "
            "which they would find a secret between them. Give all of them the same."
        )
    with _opening(settings.data):
        return _shared_token(settings.data)


def _shared_token(data: Path) -> str:
    path = data / "internal-token"
    if not path.exists():
        draft = data / f".token-{secrets.token_hex(4)}"
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(32))
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text()


def _require_writable(folder: Path) -> None:
    make_folders(folder.absolute())
    probe = folder / f".writable-{secrets.token_hex(4)}"
    probe.touch()
    probe.unlink()


@contextmanager
def _opening(folder: Path) -> Iterator[None]:
    """Say in one line what keeps this user from using a data folder."""
    try:
        yield
    except (OSError, StoreUnavailable, StorageFull) as fault:
        cause = fault.__cause__ or fault
        reason = cause.strerror if isinstance(cause, OSError) else cause
        where = getattr(cause, "filename", None) or folder
        raise CannotStart(
            f"cannot use the data folder {folder}: {reason} ({where}). Choose another with "
            "FILMROLL_DATA, or give this user the right to write there."
        ) from fault
