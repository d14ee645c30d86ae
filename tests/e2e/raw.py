"""HTTP by hand, for what no client library does."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse

from tests.e2e.service import Service


@contextmanager
def connected(service: Service, port: int | None = None) -> Iterator[socket.socket]:
    """Connect to where clients do, or to another of its ports."""
    address = ("127.0.0.1", port or service.port)
    with socket.create_connection(address, timeout=30) as connection:
        yield connection


def head(method: str, path: str, **headers: object) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def answer(connection: socket.socket) -> tuple[HTTPResponse, bytes]:
    """Read one answer, an interim one (100) skipped, and leave the connection open."""
    response = HTTPResponse(connection)
    response.begin()
    return response, response.read()
