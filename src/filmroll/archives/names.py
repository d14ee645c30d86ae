"""The names of members: which may come in, which are left out, and how they look then.

A name that comes in is a relative path with ``/`` between its parts, without ``.`` and ``..``.
"""

import re

from filmroll.archives.items import ArchiveLimits, Refused, Skipped
from filmroll.errors import FilmrollError, RefusedMember, TooLarge

_LONGEST = 1024  # bytes; longer than any ref
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DRIVE = re.compile(r"[A-Za-z]:")
_SYSTEM_FILES = {"thumbs.db", "desktop.ini"}


def screen(raw: bytes | str, size: int | None, limits: ArchiveLimits) -> str | Skipped | Refused:
    """Return the name under which a regular file may come in, or what becomes of it instead."""
    try:
        name = _clean(raw if isinstance(raw, str) else raw.decode())
        _admit(size, limits)
    except UnicodeDecodeError:
        return Refused(printable(raw), RefusedMember("The name is not UTF-8."))
    except FilmrollError as problem:
        return Refused(printable(raw), problem)
    reason = _left_out(name)
    return Skipped(name, reason) if reason else name


def printable(raw: bytes | str) -> str:
    """Return a name as it may be shown, whatever it holds."""
    text = raw if isinstance(raw, str) else raw.decode(errors="backslashreplace")
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text[:_LONGEST])


def _clean(name: str) -> str:
    if _CONTROL.search(name):
        raise RefusedMember("The name has control characters in it.")
    if name.startswith("/") or "\\" in name or _DRIVE.match(name):
        raise RefusedMember("The name must be a relative path with / between its parts.")
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise RefusedMember("The name leads out of the archive: it has .. in it.")
    if not parts:
        raise RefusedMember("The name is empty.")
    name = "/".join(parts)
    if len(name.encode()) > _LONGEST:
        raise RefusedMember(f"The name is longer than {_LONGEST} bytes.", limit=_LONGEST)
    return name


def _admit(size: int | None, limits: ArchiveLimits) -> None:
    if size is not None and size > limits.member_bytes:
        raise TooLarge(
            f"It has {size} bytes; at most {limits.member_bytes} are taken.",
            limit=limits.member_bytes,
            actual=size,
        )


def _left_out(name: str) -> str | None:
    parts = name.split("/")
    if parts[0] == "__MACOSX" or parts[-1].startswith("._"):
        return "resource-fork"
    if any(part.startswith(".") for part in parts):
        return "dotfile"
    return "system-file" if parts[-1].lower() in _SYSTEM_FILES else None
