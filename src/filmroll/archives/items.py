"""What a reader of archives hands out, and the limits that it keeps."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from filmroll.errors import FilmrollError


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchiveLimits:
    """What one archive may hold at most."""

    members: int = 1_000_000  # of whatever kind
    member_bytes: int = 100_000_000  # unpacked
    total_bytes: int = 1 << 40  # unpacked
    ratio: int = 200  # unpacked : packed, asked once there is enough of it to tell


class Content(Protocol):
    """The bytes of one member, read in order."""

    async def read(self) -> bytes:
        """Return the next bytes; none at the end."""


class Member:
    """One regular file, good until the next item is asked for.

    ``size`` is None where only the end tells it. ``body`` holds the whole content if it was in
    hand already; then there is no need for ``chunks``.
    """

    __slots__ = ("_content", "body", "name", "size")

    def __init__(self, name: str, size: int | None, content: Content | bytes) -> None:
        self.name = name
        self.size = size
        self.body = content if isinstance(content, bytes) else None
        self._content = None if isinstance(content, bytes) else content

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the bytes, once.

        Raises CorruptMember or TooLarge for a fault of this member only; the next item can be
        asked for all the same. Raises BrokenArchive if the archive ends with it.
        """
        if self.body:
            yield self.body
        while self._content and (chunk := await self._content.read()):
            yield chunk


@dataclass(frozen=True, slots=True)
class Skipped:
    """A member that was left out, because it is nothing that anybody meant to upload.

    ``reason`` is directory, symlink, hardlink, device, fifo, sparse, dotfile, resource-fork,
    system-file or special.
    """

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A member that may not come in, or whose bytes were found to be damaged."""

    name: str
    problem: FilmrollError


Item = Member | Skipped | Refused
