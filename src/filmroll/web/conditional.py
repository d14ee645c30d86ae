"""Conditional requests and ranges (RFC 9110): decided by headers alone."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes from ``first`` to ``last``, both included."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """How many bytes these are."""
        return self.last - self.first + 1


class Unsatisfiable(Exception):
    """The range lies outside the representation."""


def http_date(seconds: float) -> str:
    """Return a date as HTTP writes it."""
    return formatdate(seconds, usegmt=True)


def names_tag(headers: Mapping[str, str], etag: str) -> bool:
    """Whether ``If-None-Match`` names this very tag; ``*``, which names any, is not enough."""
    return f'"{etag}"' in _tags(headers)


def none_match(headers: Mapping[str, str], etag: str) -> bool:
    """Whether ``If-None-Match`` holds the answer back: it names this tag, or any."""
    return any(tag in {"*", f'"{etag}"'} for tag in _tags(headers))


def not_modified(headers: Mapping[str, str], etag: str, modified_at: float) -> bool:
    """Whether the client's copy is still good. ``If-None-Match`` outranks ``If-Modified-Since``."""
    if "if-none-match" in headers:
        return none_match(headers, etag)
    since = _date(headers.get("if-modified-since"))
    return since is not None and int(modified_at) <= since


def overtaken(headers: Mapping[str, str], etag: str, modified_at: float) -> bool:
    """Whether the client wants another version than this one, or nothing.

    ``If-Match``, which knows strong tags only, outranks ``If-Unmodified-Since``.
    """
    if "if-match" in headers:
        tags = (tag.strip() for tag in headers["if-match"].split(","))
        return not any(tag in {"*", f'"{etag}"'} for tag in tags)
    since = _date(headers.get("if-unmodified-since"))
    return since is not None and int(modified_at) > since


def _tags(headers: Mapping[str, str]) -> Sequence[str]:
    """Return the tags of ``If-None-Match``, compared weakly: without ``W/``."""
    tags = headers.get("if-none-match", "").split(",")
    return [tag.strip().removeprefix("W/") for tag in tags]


def wanted_range(
    headers: Mapping[str, str], size: int, etag: str, modified_at: float
) -> Range | None:
    """Return the part that is asked for; None for the whole.

    Several ranges, other units and ranges of another version (``If-Range``) get the whole.
    Raises Unsatisfiable.
    """
    match = _RANGE.fullmatch(headers.get("range", "").strip().replace(" ", ""))
    if match is None or match.groups() == ("", ""):
        return None
    condition = headers.get("if-range", f'"{etag}"').strip()
    if condition != f'"{etag}"' and _date(condition) != int(modified_at):
        return None
    first, last = match.groups()
    if first == "":
        start, end = max(size - int(last), 0), size - 1
        if int(last) == 0:
            raise Unsatisfiable
    else:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
        if last and int(last) < start:
            return None
    if start >= size:
        raise Unsatisfiable
    return Range(start, end)


def _date(text: str | None) -> int | None:
    try:
        return int(parsedate_to_datetime(text or "").timestamp())
    except (ValueError, OverflowError):
        return None
