"""Reading a manifest: NDJSON lines that name files of this machine, or what the service fetches.

The lines of failures that ``push`` writes are such lines.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filmroll.client.files import Fault, File, Item, Link, archive_item, file_item, writable

SUFFIXES = frozenset({".ndjson", ".jsonl"})
# What push finds out itself, or keeps to itself.
_OWN = frozenset({"ref", "path", "sha256", "bytes", "source", "archive"})
_SAID = frozenset({"name", "tags", "metadata", "variants"})


def read_manifest(manifest: Path) -> Iterator[Item]:
    """Yield an item a line; a file is ``path``, else ``ref``, from the manifest's folder on."""
    with manifest.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _item(line, manifest, f"{manifest.name}:{number}")


def _item(text: bytes, manifest: Path, place: str) -> Item:
    try:
        line = json.loads(text)
    except ValueError:
        line = None
    if not isinstance(line, dict) or not isinstance(line.get("ref"), str):
        return Fault(place, str(manifest), "the line is not a JSON object with a `ref`")
    if line.get("source", "upload") != "upload":
        return _link(line, manifest)
    path = manifest.parent / str(line.get("path", line["ref"]))
    if line.get("archive") is not True:
        return _with(line, file_item(line["ref"], path))
    if line.keys() & _SAID:
        return Fault(line["ref"], str(path), "what is said of images stands in their archive")
    return archive_item(line["ref"], path)


def _link(line: dict[str, Any], manifest: Path) -> Item:
    try:
        writable(line["ref"])
    except ValueError as fault:
        return Fault(line["ref"], str(manifest), str(fault))
    return Link(line)  # type: ignore[arg-type]  # the service judges the line


def _with(line: dict[str, Any], item: File | Fault) -> Item:
    if isinstance(item, Fault):
        return item
    return item._replace(said={key: line[key] for key in line.keys() - _OWN} or None)
