"""The headers of a tar: v7, ustar, GNU and pax. Pure functions over bytes; ValueError if broken.

Only what concerns the content is read: name, size and kind. Owners, modes and times are not kept.
"""

from collections.abc import Iterator, Mapping
from struct import Struct
from typing import NamedTuple

BLOCK = 512  # bytes; the unit of a tar
END = bytes(BLOCK)  # two of these end it

_SIGNED = Struct(f"{BLOCK}b")
_BINARY = 0x80  # GNU: what octal digits cannot hold comes as a binary number behind this byte
_SPARSE = b"GNU.sparse."
_MOST_RECORDS = 1000  # of one header; more would only cost time
_RECORDS = {b"path", b"size", _SPARSE + b"name", _SPARSE + b"major", _SPARSE + b"size"}


class Header(NamedTuple):
    """One member, as its header says: ``size`` bytes follow in the archive."""

    name: bytes
    size: int
    kind: bytes


def decode(block: bytes) -> Header:
    """Read one block. Raises ValueError if it is no header."""
    if not is_header(block):
        raise ValueError("the checksum is wrong")
    name = _text(block[:100])
    if block[257:263] == b"ustar\0" and block[345]:
        name = _text(block[345:500]) + b"/" + name
    return Header(name, _number(block[124:136]), block[156:157])


def is_header(block: bytes) -> bool:
    """Whether the block has the checksum that it states: the sum of all its other bytes."""
    try:
        stated = _number(block[148:156])
    except ValueError:
        return False
    others = block[:148] + b" " * 8 + block[156:]
    # A few old tars summed signed bytes.
    return stated == sum(others) or stated == sum(_SIGNED.unpack(others))


def records(data: bytes) -> dict[bytes, bytes]:
    """Return those records of a pax header, ``length key=value``, that are of any concern."""
    return {key: value for key, value in _records(data.rstrip(b"\0")) if key in _RECORDS}


def amend(header: Header, pax: Mapping[bytes, bytes]) -> Header:
    """Return the header as pax records tell it."""
    sparse = any(key.startswith(_SPARSE) for key in pax)
    return Header(
        name=pax.get(_SPARSE + b"name", pax.get(b"path", header.name)),
        size=_digits(pax[b"size"], 10) if b"size" in pax else header.size,
        kind=b"S" if sparse else header.kind,
    )


def _records(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    for _ in range(_MOST_RECORDS):
        if at >= len(data):
            return
        space = data.index(b" ", at, at + 20)
        end = at + _digits(data[at:space], 10)
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        if not equals or data[end - 1 : end] != b"\n":
            raise ValueError("a pax record is out of form")
        yield key, value
        at = end
    if at < len(data):
        raise ValueError(f"it has more than {_MOST_RECORDS} records")


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _number(field: bytes) -> int:
    if field[0] & _BINARY:
        if field[0] != _BINARY:
            raise ValueError("a number is negative")
        return int.from_bytes(field[1:], "big")
    return _digits(_text(field).strip(b" ") or b"0", 8)


def _digits(text: bytes, base: int) -> int:
    if not text.isdigit():  # int() would take signs and underscores
        raise ValueError("a number is out of form")
    return int(text, base)
