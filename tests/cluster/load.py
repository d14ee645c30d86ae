"""Clients that keep at it: what was acknowledged to them must be there in the end."""

import hashlib
import itertools
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Self

import httpx

from deploy.local.http import client
from tests.samples import jpeg

THUMB = "resize:width=60/output:format=webp"
PATIENCE_SECONDS = 90
TAKEN_SECONDS = 180  # a key whose holder was killed is locked for half of that


@dataclass
class Load:
    """Uploads with a variant, and downloads of what was uploaded, until it is stopped."""

    url: str
    clients: int = 3
    pause: float = 0.05  # s, of each client between two requests
    kept: dict[str, str] = field(default_factory=dict)  # acknowledged: digest by image id
    answers: list[tuple[float, float, str, int]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._stop = threading.Event()
        self._numbers = itertools.count()
        self._threads = [threading.Thread(target=self._run) for _ in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def statuses(self, since: float = 0.0) -> Counter[int]:
        """Count the answers since a moment; 0 stands for a connection that ended without one."""
        return Counter(status for at, _, _, status in self.answers if at >= since)

    def percentile(self, what: str, share: float, since: float, until: float) -> float:
        """Return how long requests that succeeded took, in seconds."""
        took = sorted(
            seconds
            for at, seconds, kind, status in self.answers
            if kind == what and since <= at < until and 200 <= status < 300
        )
        return took[min(int(share * len(took)), len(took) - 1)] if took else 0.0

    def _run(self) -> None:
        with client(self.url, timeout=PATIENCE_SECONDS) as http:
            while not self._stop.is_set():
                number = next(self._numbers)
                body = jpeg(240, 160, seed=number)
                self._upload(http, number, body)
                self._download(http)
                time.sleep(self.pause)

    def _upload(self, http: httpx.Client, number: int, body: bytes) -> None:
        """Send until it is acknowledged, under one key: it must not become two."""
        key = {"Idempotency-Key": f"{id(self)}-{number}"}
        deadline = time.monotonic() + TAKEN_SECONDS
        while time.monotonic() < deadline:
            answer = self._ask(
                http,
                "upload",
                "POST",
                "/v1/images",
                params={"variant": THUMB},
                content=body,
                headers=key,
            )
            if answer is not None and answer.status_code in {201, 202}:
                self.kept[answer.json()["id"]] = hashlib.sha256(body).hexdigest()
                return
            time.sleep(0.3)
        self.wrong.append(f"upload {number} was never taken")

    def _download(self, http: httpx.Client) -> None:
        image = next(reversed(self.kept), None)
        if image is None:
            return
        answer = self._ask(http, "download", "GET", f"/i/{image}")
        if answer is not None and answer.status_code == 200:
            digest = hashlib.sha256(answer.content).hexdigest()
            if digest != self.kept[image]:
                self.wrong.append(f"other bytes of {image}")

    def _ask(
        self, http: httpx.Client, kind: str, method: str, path: str, **request: object
    ) -> httpx.Response | None:
        began = time.monotonic()
        try:
            answer = http.request(method, path, **request)  # type: ignore[arg-type]
        except httpx.TransportError:
            answer = None
        took = time.monotonic() - began
        self.answers.append((began, took, kind, answer.status_code if answer is not None else 0))
        return answer


def all_there(http: httpx.Client, kept: dict[str, str], seconds: float = 90) -> None:
    """Hold that each image is ready, with its bytes and its variant, and none is there twice."""
    deadline = time.monotonic() + seconds
    for image, digest in kept.items():
        while (found := http.get(f"/v1/images/{image}").json())["state"] == "stored":
            assert time.monotonic() < deadline, found
            time.sleep(0.2)
        assert found["state"] == "ready", found
        assert [one["state"] for one in found["variants"]] == ["ready"]
        assert hashlib.sha256(http.get(f"/i/{image}").content).hexdigest() == digest
        assert http.get(f"/i/{image}/{THUMB}").status_code == 200
    digests = list(kept.values())
    assert len(set(digests)) == len(digests)
    listed: list[str] = []
    where: dict[str, object] = {"limit": 200}
    while where.get("cursor", "first"):
        answer = http.get("/v1/images", params=where)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        listed += [one["sha256"] for one in page["items"]]
        where["cursor"] = page["next_cursor"]
    assert max(Counter(listed).values()) == 1, "an image is there twice"
