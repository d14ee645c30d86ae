"""The records of a zip that stand before and after the content of a member."""

from dataclasses import dataclass
from struct import Struct

from filmroll.archives.feed import Feed

LOCAL = b"PK\x03\x04"
DESCRIPTOR = b"PK\x07\x08"
CENTRAL = b"PK\x01\x02"
ZIP64_END = b"PK\x06\x06"
ZIP64_LOCATOR = b"PK\x06\x07"
END = b"PK\x05\x06"

STORED = 0
DEFLATED = 8

_ENTRY = Struct("<2x2H4x3I2H")  # version, flags, method, time, crc, packed, size, two lengths
# A descriptor holds the checksum and both sizes, with or without its signature before them.
_NARROW = Struct("<3I")
_WIDE = Struct("<I2Q")
LONGEST_DESCRIPTOR = len(DESCRIPTOR) + _WIDE.size
_FIELD = Struct("<2H")

_ENCRYPTED = 1 << 0 | 1 << 6 | 1 << 13  # the last one hides the header itself
_DESCRIBED = 1 << 3
_UTF8 = 1 << 11
_MAX32 = 0xFFFFFFFF
_ZIP64 = 1

Sums = tuple[int, int, int]  # CRC-32, packed size, size


@dataclass(frozen=True, slots=True)
class Entry:
    """One member, as its local header says. Both sizes are None if the header has none."""

    name: bytes | str
    encrypted: bool
    described: bool  # a data descriptor follows the content
    method: int
    crc: int
    packed: int | None
    size: int | None

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory: nothing but the name tells."""
        return self.name[-1:] in (b"/", "/")

    @property
    def is_readable(self) -> bool:
        """Whether its content can be unpacked."""
        return not self.encrypted and self.method in (STORED, DEFLATED)


async def read_entry(feed: Feed) -> Entry:
    """Read a local header after its signature. Raises BrokenArchive."""
    flags, method, crc, packed, size, name_length, extra_length = _ENTRY.unpack(
        await feed.take(_ENTRY.size)
    )
    name = await feed.take(name_length)
    extra = await feed.take(extra_length)
    if _MAX32 in (packed, size):
        packed, size = _zip64_sizes(feed, extra, packed, size)
    described = bool(flags & _DESCRIBED)
    known = packed or not described
    return Entry(
        name=_name(name, flags),
        encrypted=bool(flags & _ENCRYPTED),
        described=described,
        method=method,
        crc=crc,
        packed=packed if known else None,
        size=size if known else None,
    )


async def read_descriptor(feed: Feed) -> Sums:
    """Read what stands after a content, in the one of four forms that leads to a next record.

    Raises BrokenArchive if there is none.
    """
    await feed.have(LONGEST_DESCRIPTOR + len(LOCAL))
    head = feed.peek(LONGEST_DESCRIPTOR + len(LOCAL))
    for prefix in (DESCRIPTOR, b""):
        for form in (_NARROW, _WIDE):
            end = len(prefix) + form.size
            if head.startswith(prefix) and head[end : end + len(LOCAL)] in (LOCAL, CENTRAL):
                await feed.skip(end)
                crc, packed, size = form.unpack_from(head, len(prefix))
                return crc, packed, size
    raise feed.broken("There is no data descriptor where the content of a member ends")


def signed_descriptors(crc: int, size: int) -> tuple[bytes, bytes]:
    """Return what stands after a stored content, in either width."""
    narrow = _NARROW.pack(crc, size & _MAX32, size & _MAX32)
    return DESCRIPTOR + narrow, DESCRIPTOR + _WIDE.pack(crc, size, size)


def _zip64_sizes(feed: Feed, extra: bytes, packed: int, size: int) -> tuple[int, int]:
    """Return both sizes; those that are all ones stand in the extra field, the packed one last."""
    values = _zip64_field(extra)
    found = [int.from_bytes(values[at : at + 8], "little") for at in range(0, len(values) - 7, 8)]
    if len(found) < (packed, size).count(_MAX32):
        raise feed.broken("A member lacks its zip64 sizes")
    size = found.pop(0) if size == _MAX32 else size
    return (found.pop(0) if packed == _MAX32 else packed), size


def _zip64_field(extra: bytes) -> bytes:
    at = 0
    while at + _FIELD.size <= len(extra):
        kind, length = _FIELD.unpack_from(extra, at)
        at += _FIELD.size
        if kind == _ZIP64:
            return extra[at : at + length]
        at += length
    return b""


def _name(raw: bytes, flags: int) -> bytes | str:
    """Return the name as UTF-8, or decoded if it is from the days before.

    Some archivers write UTF-8 without saying so; hardly any name in code page 437 looks like it.
    """
    if not flags & _UTF8:
        try:
            raw.decode()
        except UnicodeDecodeError:
            return raw.decode("cp437")
    return raw
