"""Uploading by tus: by hand, and what every test of it looks at."""

import base64
import fcntl
import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from tests.e2e.service import Service

ROOT = "/v1/tus"
SPOKEN = {"Tus-Resumable": "1.0.0"}
BYTES = {"Content-Type": "application/offset+octet-stream"}
JS = Path(__file__).parent / "js"
JS_SECONDS = 90


def metadata(**values: str) -> dict[str, str]:
    """Return the header that says this of an upload."""
    pairs = [f"{key} {base64.b64encode(text.encode()).decode()}" for key, text in values.items()]
    return {"Upload-Metadata": ",".join(pairs)}


def post(http: httpx.Client, headers: Mapping[str, str], body: bytes = b"") -> httpx.Response:
    kind = BYTES if body else {}
    return http.post(ROOT, headers={**SPOKEN, **kind, **headers}, content=body)


def begin(http: httpx.Client, size: int, **headers: str) -> str:
    """Begin an upload; return its URL."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    answer = post(http, {"Upload-Length": str(size), **named})
    assert answer.status_code == 201, answer.text
    return str(answer.headers["location"])


def patch(http: httpx.Client, url: str, offset: int, body: bytes, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    said = {**SPOKEN, **BYTES, "Upload-Offset": str(offset), **named}
    return http.patch(url, headers=said, content=body)


def standing(http: httpx.Client, url: str) -> httpx.Response:
    """Ask how far an upload is; once more over a connection that was closed between two requests.

    A balancer may do that where an answer, a 409 for example, came before the body was all there.
    """
    try:
        return http.head(url, headers=SPOKEN)
    except httpx.RemoteProtocolError:
        return http.head(url, headers=SPOKEN)


def offset(http: httpx.Client, url: str) -> int:
    return int(standing(http, url).headers["upload-offset"])


def become(http: httpx.Client, url: str) -> bytes:
    """Return the bytes of the image that an upload has become."""
    where = standing(http, url).headers["content-location"]
    assert where.startswith("/v1/images/")
    return http.get(http.get(where).json()["url"]).content


def install() -> None:
    """Get npm's packages, once however many processes ask; skip, loudly, where there is no npm."""
    if shutil.which("npm") is None:
        pytest.skip("npm is missing, so tus-js-client was NOT tested: apt-get install npm")
    with (JS / "package.json").open() as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not (JS / "node_modules").is_dir():
            quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
            subprocess.run(["npm", "ci", *quiet], cwd=JS, check=True, timeout=120)


class JsClient:
    """npm's tus-js-client, on a service."""

    def __init__(self, service: Service) -> None:
        install()
        self._endpoint = service.url + ROOT

    def start(self, file: Path, **options: object) -> "subprocess.Popen[str]":
        """Begin an upload of a file; ``finish`` tells how it went."""
        said = json.dumps({"endpoint": self._endpoint, "file": str(file), **options})
        return subprocess.Popen(
            ["node", "upload.mjs", said], cwd=JS, stdout=subprocess.PIPE, text=True
        )

    def finish(self, running: "subprocess.Popen[str]") -> dict:
        """Return what has become of an upload."""
        printed, _ = running.communicate(timeout=JS_SECONDS)
        assert running.returncode == 0
        return dict(json.loads(printed))

    def upload(self, file: Path, **options: object) -> dict:
        return self.finish(self.start(file, **options))
