"""What is known under one id, in one item: whatever of an image, a job, an upload carries it.

An upload's job carries its image's id, and that of an upload in parts its upload's: so what has
to change in one step lies in one item. What a claim or the end of a job changes stands in
attributes of its own, so that it takes one request, and none to read before.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from filmroll.catalog.dynamodb.schema import RECORD, moment, shard
from filmroll.catalog.dynamodb.table import Item, number, text
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

_ALL = {kind: others(kind, ()) for kind in (Upload, UploadPart, Variant, WebhookDelivery)}
_IMAGE_OTHERS, _JOB_OTHERS = others(Image, _IMAGE), others(Job, _JOB)


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
        item |= {"variants": {"M": {one: _whole(it) for one, it in record.variants.items()}}}
    if record.job is not None:
        item |= job_attributes(record.job)
    if record.upload is not None:
        item["upload"] = _whole(record.upload)
    if record.works:
        item["works"] = {"SS": sorted(record.works)}
    if record.outgoing:
        item["outgoing"] = {"L": [_whole(one) for one in record.outgoing]}
    if record.last is not None:
        item["last"] = _whole(record.last)
    if record.purge_at is not None:
        item["purge_at"] = number(record.purge_at)
    if record.purged:
        item["purged"] = {"BOOL": True}
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
        image=_read_part(Image, item, "image", _IMAGE),
        job=_read_part(Job, item, "job", _JOB),
        upload=_read_whole(Upload, item.get("upload")),
        variants={recipe: read_variant(it) for recipe, it in variants.items()},
        works=frozenset(item.get("works", {"SS": ()})["SS"]),
        outgoing=tuple(map(read_delivery, outgoing)),
        last=_read_whole(UploadPart, item.get("last")),
        purge_at=float(item["purge_at"]["N"]) if "purge_at" in item else None,
        purged="purged" in item,
    )


def job_attributes(job: Job) -> dict[str, Any]:
    """Return the attributes that a job has in its record."""
    return {"job": text(encode(job, _JOB_OTHERS))} | _attributes(job, _JOB)


def encode_problem(problem: Any) -> str:
    """Return a problem as JSON."""
    return encode(problem, [each.name for each in fields(problem)])


def write_variant(variant: Variant) -> dict[str, str]:
    """Return a variant as an attribute."""
    return _whole(variant)


def read_variant(attribute: Mapping[str, str]) -> Variant:
    """Return the variant of an attribute."""
    return decode(Variant, attribute["S"], {})


def write_delivery(delivery: WebhookDelivery) -> dict[str, str]:
    """Return a delivery as an attribute."""
    return _whole(delivery)


def read_delivery(attribute: Mapping[str, str]) -> WebhookDelivery:
    """Return the delivery of an attribute."""
    return decode(WebhookDelivery, attribute["S"], {})


def write_part(part: UploadPart) -> dict[str, str]:
    """Return a part as an attribute."""
    return _whole(part)


def read_part(attribute: Mapping[str, str]) -> UploadPart:
    """Return the part of an attribute."""
    return decode(UploadPart, attribute["S"], {})


def due_partition(id_: str) -> str:
    """Return where in the index of what is due an open job stands."""
    return f"job#{shard(id_)}"


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
        at = due_partition(record.id), job.due_at
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
            found[attribute] = text(encode_problem(value))
        else:
            found[attribute] = text(value) if attribute in _TEXTS else number(value)
    return found


def _read_part(kind: Any, item: Item, name: str, names: Mapping[str, str]) -> Any:
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


def _whole(part: Any) -> dict[str, str]:
    return text(encode(part, _ALL[type(part)]))


def _read_whole(kind: Any, attribute: Mapping[str, str] | None) -> Any:
    return None if attribute is None else decode(kind, attribute["S"], {})
