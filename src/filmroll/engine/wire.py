"""What parent and child say to each other: a JSON message behind its length, then raw bytes.

A message names under ``sizes`` how many bytes each of the blobs has that follow it. Files travel
as descriptors with the first bytes of a message, so a child never learns a path.
"""

import asyncio
import json
import socket
import struct
from collections.abc import Sequence
from typing import Any

MAX_FILES = 250  # Linux passes at most 253 descriptors at once
_LENGTH = struct.Struct("!I")
_CHUNK = 1 << 20  # bytes


class Hangup(Exception):
    """The other side is gone, or talks nonsense."""


def send(peer: socket.socket, message: dict[str, Any], blobs: Sequence[bytes] = ()) -> None:
    """Send a message and its blobs; blocks (child's side)."""
    head = _frame(message | {"sizes": [len(blob) for blob in blobs]})
    peer.sendall(b"".join((head, *blobs)))  # one wake-up of the other side


def receive(peer: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Receive a message and its descriptors; blocks (child's side). Raises Hangup."""
    start, descriptors, _flags, _address = socket.recv_fds(peer, _LENGTH.size, MAX_FILES)
    start += _exactly(peer, _LENGTH.size - len(start))
    return json.loads(_exactly(peer, _LENGTH.unpack(start)[0])), descriptors


async def ask(peer: socket.socket, message: dict[str, Any], files: Sequence[int]) -> None:
    """Send a message with descriptors; ``peer`` does not block. Raises Hangup."""
    loop = asyncio.get_running_loop()
    frame = _frame(message)
    try:
        # A child that waits for work has an empty buffer: at least the first bytes find room.
        sent = socket.send_fds(peer, [frame], files)
        if sent < len(frame):
            await loop.sock_sendall(peer, frame[sent:])
    except ConnectionError as error:
        raise Hangup from error


async def answer(peer: socket.socket, limit: int) -> tuple[dict[str, Any], list[bytes]]:
    """Receive a message and its blobs, ``limit`` bytes at most.

    Raises Hangup, also for what no sound child would say.
    """
    try:
        inbox = _Inbox(peer)
        length = _LENGTH.unpack(await inbox.take(_LENGTH.size))[0]
        _within(limit, length)
        message = json.loads(await inbox.take(length))
        sizes = message.pop("sizes")
        _within(limit, sum(sizes))
        return message, [await inbox.take(size) for size in sizes]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise Hangup from error


def _frame(message: dict[str, Any]) -> bytes:
    body = json.dumps(message, separators=(",", ":")).encode()
    return _LENGTH.pack(len(body)) + body


def _within(limit: int, actual: int) -> None:
    if not 0 <= actual <= limit:
        raise ValueError(f"{actual} bytes announced")


def _exactly(peer: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        part = peer.recv(min(size, _CHUNK))
        if not part:
            raise Hangup
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


class _Inbox:
    """What has arrived of one answer: received in large pieces, handed out by size."""

    def __init__(self, peer: socket.socket) -> None:
        self._peer = peer
        self._arrived = bytearray()

    async def take(self, size: int) -> bytes:
        loop = asyncio.get_running_loop()
        while len(self._arrived) < size:
            part = await loop.sock_recv(self._peer, _CHUNK)
            if not part:
                raise Hangup
            self._arrived += part
        taken = bytes(self._arrived[:size])
        del self._arrived[:size]
        return taken
