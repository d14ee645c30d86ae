"""Requests to servers on this machine, in plain HTTP."""

from typing import Any

import httpx


def client(url: str = "", **options: Any) -> httpx.Client:
    """Return a client without TLS: to load the authorities for it would take 50 ms each time."""
    return httpx.Client(**{"base_url": url, "timeout": 60, "verify": False, **options})


def ask(method: str, url: str, **options: Any) -> httpx.Response:
    """Ask over a connection of its own; raise httpx.HTTPError if there is no answer."""
    with client() as http:
        return http.request(method, url, **options)


def get(url: str, **options: Any) -> httpx.Response:
    """Ask for what is at an address, as ``ask`` does."""
    return ask("GET", url, **options)


def status(page: str) -> int:
    """Return the status of an answer; 0 if none comes within five seconds."""
    try:
        return get(page, timeout=5).status_code
    except httpx.HTTPError:
        return 0
