"""What parent and child say to each other: a JSON message behind its length, then raw bytes.

A message names under ``sizes`` how many bytes each of the blobs has that follow it. Files travel
as descriptors with the first bytes of a message, so a child never learns a path.
"""

import json
import socket
import struct
from collections.abc import Sequence
from typing import Any

MAX_FILES = 250  # Linux passes at most 253 descriptors at once
LENGTH = struct.Struct("!I")
CHUNK = 1 << 20  # bytes
_JOINED = 1 << 20  # bytes; below, one wake-up of the other side costs more than a copy


class Hangup(Exception):
    """The other side is gone, or talks nonsense."""


def send(peer: socket.socket, message: dict[str, Any], blobs: Sequence[bytes] = ()) -> None:
    """Send a message and its blobs; blocks (child's side)."""
    head = frame(message | {"sizes": [len(blob) for blob in blobs]})
    if sum(map(len, blobs)) <= _JOINED:
        peer.sendall(b"".join((head, *blobs)))
        return
    for part in (head, *blobs):
        peer.sendall(part)


def receive(peer: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Receive a message and its descriptors; blocks (child's side). Raises Hangup."""
    start, descriptors, _flags, _address = socket.recv_fds(peer, LENGTH.size, MAX_FILES)
    start += _exactly(peer, LENGTH.size - len(start))
    return json.loads(_exactly(peer, LENGTH.unpack(start)[0])), descriptors


def frame(message: dict[str, Any]) -> bytes:
    """Return a message as it goes over the socket."""
    body = json.dumps(message, separators=(",", ":")).encode()
    return LENGTH.pack(len(body)) + body


def _exactly(peer: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        part = peer.recv(min(size, CHUNK))
        if not part:
            raise Hangup
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
