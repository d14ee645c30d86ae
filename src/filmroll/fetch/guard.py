"""Where a URL of someone else's choosing may lead: public web servers, and hosts that are allowed.

Otherwise anyone who may name a URL could reach what only this machine can reach: the network
around it, the metadata service of its cloud, itself.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from filmroll.errors import ForbiddenAddress
from filmroll.fetch.urls import canonical_host

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# All other IPv6 addresses are local or multicast, or hold an IPv4 address that nobody has checked:
# v4-mapped ::ffff:0:0/96, v4-compatible ::/96, NAT64 64:ff9b::/96 and 64:ff9b:1::/48.
_GLOBAL_UNICAST = IPv6Network("2000::/3")

# What ``is_global`` lets pass, in one version of Python or another.
_NOT_PUBLIC = tuple(
    map(
        ip_network,
        [
            "192.0.0.0/24",  # IETF protocol assignments
            "192.88.99.0/24",  # 6to4 relays
            "168.63.129.16/32",  # the host of a machine in Azure: routable, but never public
            "224.0.0.0/4",  # multicast
            "2001::/23",  # IETF protocol assignments, Teredo among them
            "2002::/16",  # 6to4: holds an IPv4 address
            "3fff::/20",  # documentation
        ],
    )
)

# Below 1024 are the services of systems, above it those whose protocol is lines of text, so that a
# request could be taken for commands: X11, Redis, IRC, memcached. Web servers are elsewhere.
_WEB_PORTS = {80, 443}
_FIRST_FREE_PORT = 1024
_PORTS_OF_OTHERS = {6000, 6379, 6697, 11211, *range(6665, 6670)}


def is_public(address: Address) -> bool:
    """Whether anyone on the internet reaches the same host under this address as we do."""
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not any(address in network for network in _NOT_PUBLIC)


def is_for_web(port: int) -> bool:
    """Whether a web server may be expected on this port."""
    return port in _WEB_PORTS or (port >= _FIRST_FREE_PORT and port not in _PORTS_OF_OTHERS)


@dataclass(frozen=True, slots=True)
class _Allowed:
    where: str | Network
    port: int | None  # None: any

    def covers(self, host: str, port: int, address: Address) -> bool:
        if self.port not in {None, port}:
            return False
        return self.where == host if isinstance(self.where, str) else address in self.where


class Guard:
    """Holds addresses against the rules, right before a connection is made to one of them."""

    def __init__(self, allow: Sequence[str]) -> None:
        """``allow`` exempts host names, addresses or CIDR networks, each with ``:port`` or not.

        An IPv6 address with a port goes in brackets. A name exempts whatever it resolves to.
        Raises ValueError for what is none of these.
        """
        self._allowed = [_allowed(text) for text in allow]

    def check(self, host: str, port: int, addresses: Sequence[str]) -> None:
        """Raise ForbiddenAddress unless every one of a host's addresses may be connected to."""
        for address in map(ip_address, addresses):
            if self._allows(host, port, address):
                continue
            if not is_public(address):
                raise ForbiddenAddress(f"{host} is not, or not only, at a public address.")
            if not is_for_web(port):
                raise ForbiddenAddress(f"No web server is expected on port {port}.")

    def _allows(self, host: str, port: int, address: Address) -> bool:
        return any(allowed.covers(host, port, address) for allowed in self._allowed)


def _allowed(text: str) -> _Allowed:
    with suppress(ValueError):
        return _Allowed(ip_network(text), None)
    with_port = re.fullmatch(r"\[?(.+?)\]?:([0-9]{1,5})", text)
    host, port = (with_port[1], int(with_port[2])) if with_port else (text, None)
    with suppress(ValueError):
        return _Allowed(ip_network(host), port)
    try:
        return _Allowed(canonical_host(host), port)
    except ValueError as fault:
        raise ValueError(
            f"{text!r} is no host name, address or network (host, host:port, 10.0.0.0/8)."
        ) from fault
