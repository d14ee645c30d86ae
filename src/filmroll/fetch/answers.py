"""What the answer of another server says, read with care: nothing of it is to be trusted."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote

import httpx

from filmroll.errors import FetchFailed, FetchUnavailable

_OK = 200
_REDIRECTS = {301, 302, 303, 307, 308}
_COME_AGAIN = {408, 425, 429}
_SERVER_FAULTS = 500
_LONGEST_WAIT = 86_400  # seconds
_LONGEST_NAME = 255

_EXTENDED_NAME = re.compile(r"filename\*\s*=\s*utf-8'[^']*'([^;\s]+)", re.IGNORECASE)
_PLAIN_NAME = re.compile(r'filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s"]+))', re.IGNORECASE)


def location(status: int, headers: httpx.Headers) -> str | None:
    """Return where a redirect leads; None if the answer is none."""
    return headers.get("location") if status in _REDIRECTS else None


def require_body(host: str, status: int, headers: httpx.Headers) -> None:
    """Raise FetchFailed or FetchUnavailable unless the answer brings a plain body."""
    if status in _COME_AGAIN or status >= _SERVER_FAULTS:
        wait = retry_after(headers)
        figures = {} if wait is None else {"retry_after": wait}
        raise FetchUnavailable(f"{host} answered with status {status}.", **figures)
    if status != _OK:
        raise FetchFailed(f"{host} answered with status {status}.", origin_status=status)
    if headers.get("content-encoding", "identity").lower() != "identity":
        # A few kilobytes can unfold to gigabytes; and images gain nothing by it.
        raise FetchFailed(f"{host} sent the body compressed, which was not asked for.")


def retry_after(headers: httpx.Headers) -> int | None:
    """Return in how many seconds to come again, at most a day; None if it does not say."""
    text = headers.get("retry-after", "").strip()
    if re.fullmatch("[0-9]{1,9}", text):
        return min(int(text), _LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    wait = at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)
    return min(max(0, int(wait.total_seconds())), _LONGEST_WAIT)


def announced_bytes(headers: httpx.Headers) -> int | None:
    """Return the length that the body is said to have."""
    length = headers.get("content-length")
    return None if length is None else int(length)


def content_type(headers: httpx.Headers) -> str | None:
    """Return the media type without parameters."""
    return headers.get("content-type", "").partition(";")[0].strip().lower() or None


def file_name(url: httpx.URL, headers: httpx.Headers) -> str | None:
    """Return the name that the server gives the file, or the last part of the URL's path."""
    said = headers.get("content-disposition", "")
    if match := _EXTENDED_NAME.search(said):
        name = unquote(match[1])
    elif match := _PLAIN_NAME.search(said):
        name = re.sub(r"\\(.)", r"\1", match[1] or "") or match[2] or ""
    else:
        name = url.path
    return _bare(name)


def printable(text: bytes) -> str:
    """Return text that does no harm in a log or on a terminal."""
    decoded = text.decode("utf-8", "replace")
    return "".join(char for char in decoded if char.isprintable() or char in "\n\t")


def _bare(name: str) -> str | None:
    name = re.split(r"[/\\]", name)[-1]
    name = "".join(filter(str.isprintable, name)).strip()[:_LONGEST_NAME]
    return None if name in {"", ".", ".."} else name
