"""What a source in a thumbor or imgproxy URL is here: an image by its id, or one fetched once.

Only what lies under the base URLs that the service's owner names is fetched. A base may replace
what else the URLs begin with: ``s3://photos/=https://photos.example.com/``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

from filmroll.errors import UnknownSource
from filmroll.model import derived_id, is_id

_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?P<port>:\d{1,5})?"
    r"(?P<path>/[^\s\\#]*)"
)
_ABBREVIATED = re.compile(r"([a-z][a-z0-9+.-]*):/+")  # proxies on the way make one slash of two
_DOTS = re.compile(r"\.\.?(;.*)?", re.DOTALL)  # some servers leave out what follows a semicolon
_MOST_DECODED = 4  # times; what is encoded more often means to mislead
_PORTS = {"http": ":80", "https": ":443"}
_SAFE = "%/:?#[]@!$&'()*+,;=~-._\\"
_LONGEST = 2048


@dataclass(frozen=True, slots=True)
class Source:
    """An image here, by its id; or what is fetched from ``url`` on its first use.

    The id of that is its own: which image it comes to is known once it is fetched.
    """

    id: str
    url: str | None = None


class Sources:
    """The base URLs that sources may be fetched from."""

    def __init__(self, entries: Sequence[str]) -> None:
        """Take ``base`` or ``prefix=base``; raise ValueError for what is no base URL."""
        self._replaced: list[tuple[str, str]] = []
        self._bases: list[str] = []
        for entry in entries:
            prefix, equals, base = entry.rpartition("=")
            normal = _normal(base)
            if normal is None or not normal.endswith("/") or "?" in normal:
                raise ValueError(f"must be URLs that end with a slash, not {base!r}")
            self._bases.append(normal)
            if equals:
                self._replaced.append((prefix, normal))

    def find(self, text: str) -> Source:
        """Return what a source is here; raise UnknownSource."""
        bare = text.removeprefix("local://").partition("?")[0].strip("/")
        if is_id(bare):
            return Source(bare)
        for url in self._candidates(text):
            normal = _normal(url)
            if normal is not None and self._has(normal):
                return Source(derived_id("source", normal), normal)
        raise _unknown(text)

    def covers(self, url: str) -> bool:
        """Whether a URL lies under one of the bases."""
        normal = _normal(url)
        return normal is not None and self._has(normal)

    def _has(self, url: str) -> bool:
        return len(url) <= _LONGEST and any(
            url.startswith(base) and url != base for base in self._bases
        )

    def _candidates(self, text: str) -> list[str]:
        """Return the URLs that a source may stand for, the likelier ones first."""
        whole = _ABBREVIATED.sub(r"\1://", text, count=1) if _ABBREVIATED.match(text) else text
        replaced = [
            base + whole.removeprefix(prefix)
            for prefix, base in self._replaced
            if whole.startswith(prefix)
        ]
        if "://" in whole.partition("?")[0]:
            return [*replaced, whole]
        with_host = [f"https://{whole}", f"http://{whole}"]
        return [*replaced, *with_host, *(base + whole.lstrip("/") for base in self._bases[:1])]


def _normal(url: str) -> str | None:
    """Return a URL in one form, without a fragment; None for what is none, or leads astray.

    No user name, no backslash, no part of dots: what follows a base must lie under it for
    whoever reads the URL.
    """
    scheme, colon, rest = quote(url, safe=_SAFE).partition("#")[0].partition("://")
    host, slash, path = rest.partition("/")
    match = _URL.fullmatch(f"{scheme.lower()}{colon}{host.lower()}{slash}{path}")
    if match is None or not _straight(path):
        return None
    port = "" if match["port"] in {None, _PORTS[match["scheme"]]} else match["port"]
    return f"{match['scheme']}://{match['host']}{port}{match['path']}"


def _straight(path: str) -> bool:
    """Whether a path has no part of dots, however often whoever serves it decodes it."""
    text = path.partition("?")[0]
    for _ in range(_MOST_DECODED):
        decoded = unquote(text)
        if any(_DOTS.fullmatch(part) for part in re.split(r"[/\\]", decoded)):
            return False
        if decoded == text:
            return True
        text = decoded
    return False


def _unknown(text: str) -> UnknownSource:
    shown = text if len(text) <= 80 else text[:80] + "…"  # noqa: PLR2004 -- of a message
    return UnknownSource(
        f"{shown!r} is neither the id of an image here nor under a URL of FILMROLL_SOURCES.",
        source=shown,
    )
