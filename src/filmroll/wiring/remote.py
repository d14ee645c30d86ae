"""Stores that are not on this machine: their SDKs are imported only if they are named."""

import importlib
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, NamedTuple

from filmroll.place import Place
from filmroll.ports import BlobStore, Catalog, JobQueue
from filmroll.settings import CannotStart, Settings

MAX_ATTEMPTS = 5  # deliveries of a message, after which it is a dead letter


class Made(NamedTuple):
    """A store that was made, or was there."""

    url: str
    remark: str = ""


def open_blobs(place: Place, folder: Path) -> AbstractAsyncContextManager[BlobStore]:
    """Return S3, to be entered; ``folder`` takes what is opened as a file."""
    opened: AbstractAsyncContextManager[BlobStore] = _adapter("blobs.s3").open_s3(place, folder)
    return opened


def open_catalog(place: Place) -> AbstractAsyncContextManager[Catalog]:
    """Return DynamoDB, to be entered."""
    opened: AbstractAsyncContextManager[Catalog] = _adapter("catalog.dynamodb").open_dynamodb(place)
    return opened


def open_queue(place: Place) -> AbstractAsyncContextManager[JobQueue]:
    """Return SQS, to be entered."""
    opened: AbstractAsyncContextManager[JobQueue] = _adapter("queues.sqs").open_sqs(place)
    return opened


async def create_stores(settings: Settings) -> Sequence[Made]:
    """Make bucket rules, table and queues where they are not there; twice is harmless."""
    made = []
    if place := settings.place("blobs"):
        async with _adapter("aws").client(place) as sdk:
            kept = await _adapter("blobs.s3_bucket").prepare_bucket(sdk, place)
        remark = "" if kept else "keeps no lifecycle rules: parts of broken-off uploads stay"
        made.append(Made(settings.blobs, remark))
    if place := settings.place("catalog"):
        async with _adapter("aws").client(place) as sdk:
            await _adapter("catalog.dynamodb").create_table(sdk, place.name)
        made.append(Made(settings.catalog))
    if place := settings.place("queue"):
        async with _adapter("aws").client(place) as sdk:
            await _adapter("queues.sqs").create_queues(sdk, place.name, MAX_ATTEMPTS)
        made.append(Made(settings.queue))
    return made


def _adapter(name: str) -> Any:
    try:
        return importlib.import_module(f"filmroll.{name}")
    except ModuleNotFoundError as missing:
        raise CannotStart(
            f"the package {missing.name} is missing, which this store needs: install filmroll[aws]"
        ) from missing
