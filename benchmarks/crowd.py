"""Clients who ask for one thing at the same moment.

They share the processors with the server, so they do as little as they can: an event loop with a
task for each would need as long for 64 answers as the server does.
"""

import socket
import time
from contextlib import ExitStack
from typing import Self
from urllib.parse import urlsplit

from benchmarks.missing import Wrong
from benchmarks.servers import Server

_GIVEN_UP = 60  # seconds
_CHUNK = 1 << 18


class Crowd(ExitStack):
    """So many clients, who are connected already."""

    def __init__(self, server: Server, clients: int) -> None:
        super().__init__()
        self._where = urlsplit(server.url)
        self._clients = clients
        self._connections: list[socket.socket] = []

    def __enter__(self) -> Self:
        address = (self._where.hostname or "", self._where.port or 0)
        for _ in range(self._clients):
            connection = socket.create_connection(address, _GIVEN_UP)
            self._connections.append(self.enter_context(connection))
        self.ask("/healthz")  # now the server knows all of them
        return self

    def ask(self, path: str) -> float:
        """Have all ask for a path; return the seconds until the last one has its answer.

        Raises Wrong if one gets anything but what it asked for. Answers that are not read yet wait
        in the kernel, where there is room for pictures of some 100 KB.
        """
        request = f"GET {path} HTTP/1.1\r\nHost: {self._where.netloc}\r\n\r\n".encode()
        start = time.perf_counter()
        for connection in self._connections:
            connection.sendall(request)
        for connection in self._connections:
            _receive(connection)
        return time.perf_counter() - start


def _receive(connection: socket.socket) -> None:
    answer = b""
    while not (head := answer.partition(b"\r\n\r\n"))[1]:
        answer += _more(connection)
    fields = head[0].lower()
    if not fields.startswith(b"http/1.1 200 "):
        raise Wrong(head[0].decode("latin-1"))
    left = int(fields.partition(b"content-length:")[2].partition(b"\r\n")[0]) - len(head[2])
    while left > 0:
        left -= len(_more(connection))


def _more(connection: socket.socket) -> bytes:
    if not (chunk := connection.recv(_CHUNK)):
        raise Wrong("the server hung up")
    return chunk
