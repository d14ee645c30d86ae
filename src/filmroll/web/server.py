"""Running one role: listen, announce, and on SIGTERM leave nothing half done."""

import asyncio
import signal
import socket
from collections.abc import Callable

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


def free_port(settings: Settings) -> int:
    """Return the port to listen on; raise CannotStart if it is taken.

    Asked beforehand, because the server itself shares its port with whoever asks (SO_REUSEPORT):
    a second service would start on the same port and take half of the requests.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
            probe.listen(1)
        except OSError as fault:
            reason = fault.strerror
            raise CannotStart(
                f"cannot listen on {settings.host}:{settings.port}: {reason}. Is Filmroll running "
                "already? Choose another port with FILMROLL_PORT."
            ) from fault
        return int(probe.getsockname()[1])


async def serve(app: App, host: str, port: int, ready: Callable[[], None], drain: float) -> None:
    """Serve until SIGTERM or SIGINT, then finish what was accepted, for ``drain`` seconds."""
    server = Server(
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
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    serving = asyncio.create_task(server.serve())
    await _until_listening(host, port, serving)
    ready()
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
    log.info("draining", seconds=drain)
    server.stop()  # type: ignore[no-untyped-call]  # the library has no types here
    await asyncio.wait({serving}, timeout=drain)
    log.info("stopped")


async def _until_listening(host: str, port: int, serving: "asyncio.Task[None]") -> None:
    while not serving.done():
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(0.01)
        else:
            writer.close()
            return
    serving.result()
