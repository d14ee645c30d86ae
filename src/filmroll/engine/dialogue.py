"""The parent's side of what is said on the wire, which waits for no child."""

import asyncio
import json
import socket
from collections.abc import Sequence
from typing import Any

from filmroll.engine.wire import CHUNK, LENGTH, Hangup, frame


async def ask(peer: socket.socket, message: dict[str, Any], files: Sequence[int]) -> None:
    """Send a message with descriptors; ``peer`` does not block. Raises Hangup."""
    loop = asyncio.get_running_loop()
    head = frame(message)
    try:
        # A child that waits for work has an empty buffer: at least the first bytes find room.
        sent = socket.send_fds(peer, [head], files)
        if sent < len(head):
            await loop.sock_sendall(peer, head[sent:])
    except ConnectionError as error:
        raise Hangup from error


async def answer(peer: socket.socket, limit: int) -> tuple[dict[str, Any], list[bytes]]:
    """Receive a message and its blobs, ``limit`` bytes at most.

    Raises Hangup, also for what no sound child would say.
    """
    try:
        inbox = _Inbox(peer)
        length = LENGTH.unpack(await inbox.take(LENGTH.size))[0]
        _within(limit, length)
        message = json.loads(await inbox.take(length))
        sizes = message.pop("sizes")
        _within(limit, sum(map(abs, sizes)))
        return message, [await inbox.take(size) for size in sizes]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise Hangup from error


def _within(limit: int, actual: int) -> None:
    if not 0 <= actual <= limit:
        raise ValueError(f"{actual} bytes announced")


class _Inbox:
    """What has arrived of one answer: received in large pieces, handed out by size."""

    def __init__(self, peer: socket.socket) -> None:
        self._peer = peer
        self._arrived = bytearray()

    async def take(self, size: int) -> bytes:
        loop = asyncio.get_running_loop()
        while len(self._arrived) < size:
            part = await loop.sock_recv(self._peer, CHUNK)
            if not part:
                raise Hangup
            self._arrived += part
        with memoryview(self._arrived) as arrived, arrived[:size] as wanted:
            taken = bytes(wanted)
        del self._arrived[:size]
        return taken
