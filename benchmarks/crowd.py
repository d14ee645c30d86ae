"""Clients who ask for one thing at the same moment.

They share the processors with the server, so they do as little as they can: an event loop with a
task for each would need as long for 64 answers as the server does.
"""

import re
import socket
import time
from contextlib import ExitStack
from urllib.parse import urlsplit

from benchmarks.missing import Wrong
from benchmarks.servers import Server

_GIVEN_UP = 60  # seconds
_CHUNK = 1 << 18
_LENGTH = re.compile(rb"\ncontent-length: *(\d+)")


class Crowd:
    """So many clients, who are connected already."""

    def __init__(self, server: Server, clients: int) -> None:
        where = urlsplit(server.url)
        self._host = where.netloc
        with ExitStack() as stack:
            self._connections = [
                stack.enter_context(
                    socket.create_connection((where.hostname, where.port), _GIVEN_UP)
                )
                for _ in range(clients)
            ]
            self.ask("/healthz")  # now the server knows all of them
            self._open = stack.pop_all()

    def close(self) -> None:
        """Hang up."""
        self._open.close()

    def ask(self, path: str) -> float:
        """Have all ask for a path; return the seconds until the last one has its answer.

        Raises Wrong unless all get the same, with a 200. Answers that are not read yet wait in
        the kernel, where there is room for pictures of some 100 KB.
        """
        request = f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode()
        start = time.perf_counter()
        for connection in self._connections:
            connection.sendall(request)
        bodies = [_received(connection) for connection in self._connections]
        seconds = time.perf_counter() - start
        if len(set(bodies)) != 1:
            raise Wrong(f"{path} was answered in several ways")
        return seconds


def _received(connection: socket.socket) -> bytes:
    """Return the body of an answer."""
    answer = b""
    while not (parts := answer.partition(b"\r\n\r\n"))[1]:
        answer += _more(connection)
    head, body = parts[0].lower(), parts[2]
    length = _LENGTH.search(head)
    if not head.startswith(b"http/1.1 200 ") or length is None:
        raise Wrong(head.decode("latin-1"))
    while len(body) < int(length[1]):
        body += _more(connection)
    return body


def _more(connection: socket.socket) -> bytes:
    if not (chunk := connection.recv(_CHUNK)):
        raise Wrong("the server hung up")
    return chunk
