"""A receiver of webhooks: a real server on this machine that answers as a test wants it to."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

PATIENCE_SECONDS = 20


@dataclass(frozen=True)
class Answer:
    """What is answered to a post, once ``held`` is set."""

    status: int = 200
    headers: Sequence[tuple[str, str]] = ()
    text: str = ""
    held: threading.Event | None = None


@dataclass(frozen=True)
class Post:
    """A post as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def type(self) -> str:
        return str(json.loads(self.body)["type"])

    @property
    def data(self) -> dict[str, Any]:
        return dict(json.loads(self.body)["data"])


class Receiver:
    """Takes posts; gives the answers of its script, one for each, then 200."""

    def __init__(self, *script: Answer) -> None:
        self.script = list(script)
        self.posts: list[Post] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def wait(self, many: int, wanted: Callable[[Post], bool] = lambda _: True) -> list[Post]:
        """Return the posts that are wanted, once there are so many."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(found := [post for post in self.posts if wanted(post)]) < many:
            assert time.monotonic() < deadline, [post.data for post in self.posts]
            time.sleep(0.02)
        return found

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = receiver.script.pop(0) if receiver.script else Answer()
                receiver.posts.append(Post(self.path, headers, body))
                if answer.held is not None:
                    answer.held.wait(PATIENCE_SECONDS)
                self.send_response(answer.status)
                for name, value in answer.headers:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.text.encode())

            def log_message(self, *_: object) -> None:
                pass

        return Handler
