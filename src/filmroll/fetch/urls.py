"""URLs of someone else's choosing, brought into the one form in which they are used.

The URL that was checked is the URL that is asked for: it is parsed once, by one parser. A host is
a name in plain letters or an address in its usual notation; what resolvers would take besides
(``127.1``, ``0x7f.1``, ``2130706433``, zones) is refused, for it only serves to get past a check.
"""

import re
from ipaddress import IPv4Address, IPv6Address

import httpx

from filmroll.errors import FetchFailed

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LONGEST_NAME = 253
_MOST_PORT = 65535


def target(text: str) -> httpx.URL:
    """Return the URL with its host in canonical form, without a fragment.

    Raises FetchFailed unless it is a well-formed http or https URL without a user name.
    """
    try:
        url = httpx.URL(text)
        if url.scheme not in {"http", "https"}:
            raise FetchFailed("Only http and https URLs are used.")
        host = canonical_host(host_of(url))
        url = url.copy_with(host=host, fragment=None)
    except (httpx.InvalidURL, ValueError) as fault:
        raise FetchFailed(f"The URL is out of form ({str(fault)[:200]}).") from fault
    if url.userinfo:
        raise FetchFailed("The URL must not hold a user name or a password.")
    if url.port is not None and not 0 < url.port <= _MOST_PORT:
        raise FetchFailed("The URL names a port that cannot be.")
    return url


def redirected(url: httpx.URL, location: str) -> httpx.URL:
    """Return where an answer from ``url`` leads; raise FetchFailed if it must not lead there."""
    try:
        text = str(url.join(location))
    except (httpx.InvalidURL, ValueError) as fault:
        raise FetchFailed(f"{host_of(url)} redirects to a URL that is out of form.") from fault
    following = target(text)
    if url.scheme == "https" and following.scheme == "http":
        # Whoever asked for a protected way must not get an unprotected one behind their back.
        raise FetchFailed(f"{host_of(url)} redirects from https to http.")
    return following


def host_of(url: httpx.URL) -> str:
    """Return the host as it is asked for; ``url.host`` would raise for some that begin xn--."""
    return url.raw_host.decode("ascii")


def canonical_host(text: str) -> str:
    """Return a host name or an address in canonical form; raise ValueError for odd spellings."""
    if ":" in text:
        return _canonical_v6(text)
    name = text.lower().removesuffix(".")
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return str(IPv4Address(name))
    if len(name) > _LONGEST_NAME or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError("that is no host name")
    return name


def _canonical_v6(text: str) -> str:
    address = IPv6Address(text)
    if address.scope_id is not None:
        raise ValueError("an address must not name a zone")
    return str(address)
