"""Running one role: listen, announce, and on SIGTERM leave nothing half done."""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import granian.net
import structlog
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from filmroll.settings import CannotStart, Settings
from filmroll.web.app import App

_BACKLOG = 1024
# How long a connection may be idle: longer than in the load balancers before it, which would else
# send a request into one that is just being closed.
_IDLE_SECONDS = 130

log = structlog.get_logger()


def reserve(settings: Settings) -> socket.socket:
    """Return a socket that is bound where the settings say; raise CannotStart if it cannot be.

    Nobody is let in yet: until ``serve`` listens, callers are refused, and may ask elsewhere.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Those that it accepts take this over: else the second write of an answer waits for 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.settimeout(0)
    with _only_here(settings, listener):
        listener.bind((settings.host, settings.port))
    return listener


@contextmanager
def _only_here(settings: Settings, listener: socket.socket) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        listener.close()
        raise CannotStart(
            f"cannot listen on {settings.host}:{settings.port}: {fault.strerror}. Is Filmroll "
            "running already? Choose another port with FILMROLL_PORT."
        ) from fault


class _Server(Server):
    """granian on a socket that is ours alone.

    Its own would share the port with whoever asks (SO_REUSEPORT): a second service could start on
    the same port and take half of the requests, with other data and other rules of access.
    """

    def __init__(self, app: App, listener: socket.socket) -> None:
        host, port = listener.getsockname()[:2]
        super().__init__(
            app,
            address=host,
            port=port,
            interface=Interfaces.ASGI,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=_IDLE_SECONDS * 1000),
            websockets=False,
            backlog=_BACKLOG,
            backpressure=_BACKLOG,
            log_enabled=False,
        )
        self._listener = listener

    def _init_shared_socket(self) -> None:
        held: Any = granian.net.SocketHolder  # type: ignore[attr-defined]  # not public
        self._shd = held(self._listener.detach(), uds=False, backlog=_BACKLOG)


async def serve(
    app: App, settings: Settings, listener: socket.socket, ready: Callable[[], None]
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what was accepted, within the time for draining.

    Raises CannotStart if somebody else listens there by now.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with _only_here(settings, listener):
        listener.listen(_BACKLOG)
    server = _Server(app, listener)
    serving = asyncio.create_task(server.serve())
    await asyncio.sleep(0)  # by then it takes callers, or has failed
    if not serving.done():
        ready()
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
    log.info("draining", seconds=settings.drain_seconds)
    server.stop()  # type: ignore[no-untyped-call]  # the library has no types here
    await asyncio.wait({serving}, timeout=settings.drain_seconds)
    if serving.done():
        serving.result()
    log.info("stopped")
