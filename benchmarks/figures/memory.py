"""The memory of all processes after 2,000 and after 20,000 mixed requests."""

import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count, repeat
from pathlib import Path

from benchmarks.client import ask, connect
from benchmarks.photographs import numbered, photographs, small, with_serial
from benchmarks.processes import memory
from benchmarks.results import Row
from benchmarks.servers import Server, filmroll

TITLE = "Memory of all processes after 20,000 mixed requests, beside that after 2,000"

_FEW, _MANY = 2_000, 20_000
_CLIENTS = 8
_GROWTH = 1.10
_SETTLE_SECONDS = 3
_SHARES = {"upload": 30, "kept": 40, "cold": 10, "list": 10, "delete": 10}  # percent


@dataclass
class _Client:
    """One of several that ask for this and that; its choices are the same in every run."""

    server: Server
    templates: list[tuple[bytes, int]]
    choice: random.Random
    serial: "count[int]"
    living: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def work(self, requests: int) -> None:
        """Send so many requests, one after the other; every answer has to be right."""
        with closing(connect(self.server)) as self.connection:
            for _ in range(requests):
                kind = self.choice.choices(list(_SHARES), list(_SHARES.values()))[0]
                getattr(self, f"_{kind if self.living and self.kept else 'first'}")()

    def _first(self) -> None:
        self._upload()
        self._cold()

    def _upload(self) -> None:
        body = numbered(self.choice.choice(self.templates), next(self.serial))
        answer = ask(self.connection, "POST", "/v1/images", body, 201)
        self.living.append(json.loads(answer)["id"])

    def _cold(self) -> None:
        path = f"/i/{self.choice.choice(self.living)}/resize:width={self.choice.randint(50, 600)}"
        ask(self.connection, "GET", path)
        self.kept.append(path)

    def _kept(self) -> None:
        ask(self.connection, "GET", self.choice.choice(self.kept))

    def _list(self) -> None:
        ask(self.connection, "GET", "/v1/images?limit=20")

    def _delete(self) -> None:
        image = self.living.pop(self.choice.randrange(len(self.living)))
        self.kept = [path for path in self.kept if image not in path]
        ask(self.connection, "DELETE", f"/v1/images/{image}", expected=204)


def run(folder: Path, _rounds: int) -> list[Row]:
    """Send the requests once; there is nothing to alternate with."""
    files = photographs(folder.parent / "photographs")[:10]
    templates = [with_serial(small(file, 640)) for file in files]
    serial = count(1)
    with filmroll(folder) as server:
        clients = [_Client(server, templates, random.Random(n), serial) for n in range(_CLIENTS)]
        start = memory(*server.pids)
        few = _after(clients, _FEW, server)
        many = _after(clients, _MANY - _FEW, server)
    growth = sum(many) / sum(few)
    return [
        _row("at the start", start),
        _row(f"after {_FEW:,}", few),
        _row(f"after {_MANY:,}", many),
        Row(
            subject=f"after {_MANY:,} : after {_FEW:,}",
            value=round(growth, 3),
            unit="×",
            limit=f"≤ {_GROWTH:.2f}",
            met=growth <= _GROWTH,
            note=", ".join(f"{share} % {kind}" for kind, share in _SHARES.items()),
        ),
    ]


def _row(subject: str, memories: list[float]) -> Row:
    service, *engines = memories
    note = f"the service {service:.1f}, its {len(engines)} engines {sum(engines):.1f}"
    return Row(subject=subject, value=round(sum(memories), 1), unit="MiB", note=note)


def _after(clients: list[_Client], requests: int, server: Server) -> list[float]:
    share = requests // len(clients)
    with ThreadPoolExecutor(len(clients)) as pool:
        list(pool.map(_Client.work, clients, repeat(share)))
    time.sleep(_SETTLE_SECONDS)
    return memory(*server.pids)
