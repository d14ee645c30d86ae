"""The server under Filmroll with an application that does nothing but answer: its limit.

``python -m benchmarks.bare PORT FILE``
"""

import sys
from pathlib import Path

import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server
from starlette.types import ASGIApp, Receive, Scope, Send

# As many as a picture's.
_SAID = [(f"x-said-{number}".encode(), b"what is said with a picture") for number in range(12)]


def answering(body: bytes) -> ASGIApp:
    """Return an application that has one answer."""
    headers = [*_SAID, (b"content-length", str(len(body)).encode())]

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    return app


def main() -> None:
    """Serve until SIGTERM."""
    port, file = int(sys.argv[1]), Path(sys.argv[2])
    server = Server(
        answering(file.read_bytes()),
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=False,
    )
    uvloop.run(server.serve())


if __name__ == "__main__":
    main()
