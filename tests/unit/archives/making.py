"""Archives for the tests, and a consumer that reads them as the ingest does."""

import asyncio
import io
import random
import tarfile
import zipfile
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field

from filmroll.archives import ArchiveLimits, Member, Skipped, read_archive
from filmroll.errors import FilmrollError

LIMITS = ArchiveLimits()
Files = Mapping[str, bytes]


def noise(count: int, seed: int = 1) -> bytes:
    """Bytes that do not pack, always the same."""
    return random.Random(seed).randbytes(count)


FILES: Files = {
    "empty.jpg": b"",
    "a/one.jpg": b"1",
    "a/block.jpg": noise(512),
    "b/more.jpg": noise(513),
    "größe/日本.png": b"packs well " * 100,
}


class OneWay(io.RawIOBase):
    """A file that only takes: archives are written into it as into a socket."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.data += data
        return len(data)


def tar(files: Files = FILES, form: int = tarfile.PAX_FORMAT) -> bytes:
    return tar_of([entry(name, data) for name, data in files.items()], form)


def entry(name: str, data: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


def tar_of(
    entries: Iterable[tuple[tarfile.TarInfo, bytes]], form: int = tarfile.PAX_FORMAT, **pax: str
) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form, pax_headers=pax) as archive:
        for info, data in entries:
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def zip_(
    files: Files = FILES, method: int = zipfile.ZIP_DEFLATED, *, one_way: bool = False
) -> bytes:
    file = OneWay() if one_way else io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return bytes(file.data) if isinstance(file, OneWay) else file.getvalue()


@dataclass
class Found:
    """What a consumer saw: files whole or damaged, what was left out or refused, and the end."""

    files: list[tuple[str, bytes]] = field(default_factory=list)
    damaged: list[tuple[str, FilmrollError]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    refused: list[tuple[str, FilmrollError]] = field(default_factory=list)
    fault: FilmrollError | None = None

    @property
    def codes(self) -> dict[str, str]:
        """What was said of each member that did not come in."""
        return {name: problem.code for name, problem in [*self.refused, *self.damaged]}


async def pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def consume(stream: AsyncIterator[bytes], limits: ArchiveLimits = LIMITS) -> Found:
    found = Found()
    try:
        async for item in read_archive(stream, limits):
            if isinstance(item, Member):
                await _take(item, found)
            elif isinstance(item, Skipped):
                found.skipped.append((item.name, item.reason))
            else:
                found.refused.append((item.name, item.problem))
    except FilmrollError as fault:
        found.fault = fault
    return found


async def _take(member: Member, found: Found) -> None:
    try:
        data = b"".join([chunk async for chunk in member.chunks()])
    except FilmrollError as problem:
        found.damaged.append((member.name, problem))
        return
    assert member.size in {None, len(data)}
    assert member.body in {None, data}
    found.files.append((member.name, data))


def read(data: bytes, limits: ArchiveLimits = LIMITS, *, size: int = 65_536) -> Found:
    return asyncio.run(consume(pieces(data, size), limits))


def read_well(data: bytes, limits: ArchiveLimits = LIMITS, *, size: int = 65_536) -> Found:
    """Read an archive that ends as it should."""
    found = read(data, limits, size=size)
    assert found.fault is None, found.fault
    return found
