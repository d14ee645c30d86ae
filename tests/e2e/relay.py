"""A line between a client and a service: it counts what passes, and can break."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

_CHUNK = 65_536


class Relay:
    """Listens on a port of its own and passes everything on to another."""

    def __init__(self, port: int, breaks_after: int = 0) -> None:
        """Each connection breaks once it has carried so many bytes up, unless that is 0."""
        self._port = port
        self._breaks_after = breaks_after
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._ends: list[socket.socket] = []
        self.up = 0  # bytes to the service
        self.broken = 0  # connections

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._begin(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        _end(self._listener, *self._ends)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _begin(self, work: Callable[..., None], *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._begin(self._serve, near)

    def _serve(self, near: socket.socket) -> None:
        with near, suppress(OSError), socket.create_connection(("127.0.0.1", self._port)) as far:
            self._ends += [near, far]
            down = self._begin(_carry, far, near)
            self._carry_up(near, far)
            _end(near, far)
            down.join()

    def _carry_up(self, near: socket.socket, far: socket.socket) -> None:
        carried = 0
        with suppress(OSError):
            while data := near.recv(_CHUNK):
                far.sendall(data)
                carried += len(data)
                with self._lock:
                    self.up += len(data)
                    if self._breaks_after and carried > self._breaks_after:
                        self.broken += 1
                        break


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(_CHUNK):
            target.sendall(data)
    _end(source, target)


def _end(*connections: socket.socket) -> None:
    """End both directions for whoever reads or writes."""
    for connection in connections:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
