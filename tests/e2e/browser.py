"""A real browser without a screen: Debian's Chromium, driven by WebDriver over plain HTTP."""

import shutil
import subprocess
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from deploy.local.http import client
from tests.e2e.service import free_port, until

_START_SECONDS = 30
# The name that WebDriver gives to an element in its answers.
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
# As root, without a screen, and without a word to anybody but the page.
_ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def require_browser() -> None:
    """Skip a test, loudly, where there is none."""
    for program, package in (("chromedriver", "chromium-driver"), ("chromium", "chromium")):
        if shutil.which(program) is None:
            pytest.skip(
                f"{program} is missing, so NO browser was tested: apt-get install {package}"
            )


class Browser:
    """A browser with one page; what it keeps for its pages lies in ``profile``."""

    def __init__(self, profile: Path) -> None:
        port = free_port()
        self._driver = subprocess.Popen(
            ["chromedriver", f"--port={port}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._http = client(f"http://127.0.0.1:{port}")
        try:
            until(self._is_ready, _START_SECONDS)
            options = {"args": [*_ARGUMENTS, f"--user-data-dir={profile}"]}
            wishes = {"browserName": "chrome", "goog:chromeOptions": options}
            begun = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wishes}})
        except BaseException:
            self._end()
            raise
        self._session = f"/session/{begun['sessionId']}"

    def open(self, url: str) -> None:
        """Go to a page and wait until it is loaded."""
        self._call("POST", f"{self._session}/url", {"url": url})

    def choose(self, selector: str, file: Path) -> None:
        """Choose a file, as a person does in the dialogue of an input."""
        found = self._call(
            "POST", f"{self._session}/element", {"using": "css selector", "value": selector}
        )
        path = f"{self._session}/element/{found[_ELEMENT]}/value"
        self._call("POST", path, {"text": str(file)})

    def value(self, expression: str) -> Any:
        """Return what an expression is in the page."""
        script = {"script": f"return {expression}", "args": []}
        return self._call("POST", f"{self._session}/execute/sync", script)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.delete(self._session)
        self._end()

    def _call(self, method: str, path: str, body: object) -> Any:
        answer = self._http.request(method, path, json=body)
        value = answer.json()["value"]
        assert answer.is_success, value
        return value

    def _is_ready(self) -> bool:
        try:
            return bool(self._http.get("/status").json()["value"]["ready"])
        except httpx.HTTPError:
            return False

    def _end(self) -> None:
        self._http.close()
        self._driver.terminate()
        self._driver.wait()
