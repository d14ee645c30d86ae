"""What is known under one id, in one item: whatever of an image, a job, an upload carries it.

An upload's job carries its image's id, and that of an upload in parts its upload's: so what has
to change in one step lies in one item. What a claim or the end of a job changes stands in
attributes of its own, so that it takes one request, and none to read before.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from filmroll.catalog.dynamodb.schema import RECORD, moment, shard
from filmroll.catalog.dynamodb.table import Item, Key, number, text
from filmroll.catalog.records import decode, encode, others
from filmroll.model import (
    Image,
    ImageState,
    Job,
    Upload,
    UploadPart,
    Variant,
    WebhookDelivery,
)

# Fields that have an attribute of their own, and which.
_IMAGE = {"state": "i_state", "version": "i_version", "problem": "i_problem"}
_JOB = {
    "state": "j_state",
    "attempts": "j_attempts",
    "lease_until": "j_lease",
    "due_at": "j_due",
    "started_at": "j_started",
}
_JSON = {"i_problem"}
_NUMBERS = {"i_version": int, "j_attempts": int}
_TEXTS = {"i_state", "j_state"}

_IMAGE_OTHERS, _JOB_OTHERS = others(Image, _IMAGE), others(Job, _JOB)


Whole = TypeVar("Whole")


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """An item as it was read; ``revision`` 0: there is none yet."""

    id: str
    revision: int = 0
    image: Image | None = None
    job: Job | None = None
    upload: Upload | None = None
    variants: Mapping[str, Variant] = field(default_factory=dict)  # that the job made, by recipe
    works: frozenset[str] = frozenset()  # other jobs on the image that may be under way
    outgoing: tuple[WebhookDelivery, ...] = ()  # that may not have items of their own yet
    last: UploadPart | None = None  # of the upload; the others have items of their own
    purge_at: float | None = None
    purged: bool = False  # once
    tags: tuple[str, ...] = ()  # under which the index may still have a tombstone

    @property
    def blank(self) -> bool:
        """Whether nothing is left under the id."""
        return self.image is None and self.job is None and self.upload is None


def write(record: Record) -> dict[str, Any]:
    """Return the item of a record, with its places in the indexes."""
    item: dict[str, Any] = {
        "pk": text(record.id),
        "sk": text(RECORD),
        "rev": number(record.revision),
    }
    if record.image is not None:
        item |= {"image": text(encode(record.image, _IMAGE_OTHERS))}
        item |= _attributes(record.image, _IMAGE) | _places(record.image)
        item |= {"variants": {"M": {one: pack(it) for one, it in record.variants.items()}}}
    if record.job is not None:
        item |= job_attributes(record.job)
    if record.upload is not None:
        item["upload"] = pack(record.upload)
    if record.works:
        item["works"] = {"SS": sorted(record.works)}
    if record.outgoing:
        item["outgoing"] = {"L": [pack(one) for one in record.outgoing]}
    if record.last is not None:
        item["last"] = pack(record.last)
    if record.purge_at is not None:
        item["purge_at"] = number(record.purge_at)
    if record.purged:
        item["purged"] = {"BOOL": True}
    if record.tags:
        item["tags"] = {"SS": sorted(record.tags)}
    return item | _due(record)


def read(item: Item | None, id_: str = "") -> Record:
    """Return the record of an item; a blank one if there is none."""
    if item is None:
        return Record(id=id_)
    outgoing = item.get("outgoing", {"L": []})["L"]
    variants = item.get("variants", {"M": {}})["M"]
    return Record(
        id=item["pk"]["S"],
        revision=int(item["rev"]["N"]),
        image=_read_apart(Image, item, "image", _IMAGE),
        job=_read_apart(Job, item, "job", _JOB),
        upload=unpack(Upload, item["upload"]) if "upload" in item else None,
        variants={recipe: unpack(Variant, it) for recipe, it in variants.items()},
        works=frozenset(item.get("works", {"SS": ()})["SS"]),
        outgoing=tuple(unpack(WebhookDelivery, one) for one in outgoing),
        last=unpack(UploadPart, item["last"]) if "last" in item else None,
        purge_at=float(item["purge_at"]["N"]) if "purge_at" in item else None,
        purged="purged" in item,
        tags=tuple(item.get("tags", {"SS": ()})["SS"]),
    )


def job_attributes(job: Job) -> dict[str, Any]:
    """Return the attributes that a job has in its record."""
    return {"job": text(encode(job, _JOB_OTHERS))} | _attributes(job, _JOB)


def pack(whole: Any) -> dict[str, str]:
    """Return a whole record as an attribute."""
    return text(encode(whole, others(type(whole), ())))


def unpack(kind: type[Whole], attribute: Mapping[str, str]) -> Whole:
    """Return the record of an attribute."""
    return decode(kind, attribute["S"], {})


def item_of(key: Key, revision: int, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the item of a record that lies there by itself."""
    return {"pk": text(key[0]), "sk": text(key[1]), "rev": number(revision), **content}


def jobs_partition(shard_number: int) -> str:
    """Return where in the index of what is due the open jobs of a shard stand."""
    return f"job#{shard_number}"


def newest_partition(shard_number: int) -> str:
    """Return where in the index of what is new the images of a shard stand."""
    return f"images#{shard_number}"


def _places(image: Image) -> dict[str, Any]:
    """Return where a listing finds an image; nowhere, if it is deleted."""
    if image.state is ImageState.DELETED:
        return {}
    places = {
        "lk": text(newest_partition(shard(image.id))),
        "ls": text(moment(image.created_at, image.id)),
        "sha": text(image.sha256),
    }
    return places | ({"gk": text(f"batch#{image.batch}")} if image.batch else {})


def _due(record: Record) -> dict[str, Any]:
    """Return when who has to look at a record."""
    job, upload = record.job, record.upload
    at: tuple[str, float | None] = "", None
    if job is not None and not job.state.final:
        at = jobs_partition(shard(record.id)), job.due_at
    elif record.outgoing:
        at = "outgoing", record.outgoing[0].created_at
    elif record.purge_at is not None:
        at = "purge", record.purge_at
    elif upload is not None and upload.expires_at is not None:
        at = "upload", upload.expires_at
    elif job is not None and record.image is None and upload is None:
        at = "ended", job.finished_at
    partition, moment_ = at
    return {} if moment_ is None else {"dk": text(partition), "ds": number(moment_)}


def _attributes(part: Image | Job, names: Mapping[str, str]) -> dict[str, Any]:
    found = {}
    for name, attribute in names.items():
        value = getattr(part, name)
        if value is None:
            continue
        if attribute in _JSON:
            found[attribute] = pack(value)
        else:
            found[attribute] = text(value) if attribute in _TEXTS else number(value)
    return found


def _read_apart(kind: Any, item: Item, name: str, names: Mapping[str, str]) -> Any:
    if name not in item:
        return None
    columns: dict[str, Any] = {}
    for column, attribute in names.items():
        if attribute not in item:
            columns[column] = None
        elif attribute in _JSON:
            columns[column] = json.loads(item[attribute]["S"])
        elif attribute in _TEXTS:
            columns[column] = item[attribute]["S"]
        else:
            columns[column] = _NUMBERS.get(attribute, float)(item[attribute]["N"])
    return decode(kind, item[name]["S"], columns)
