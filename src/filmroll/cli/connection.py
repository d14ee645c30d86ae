"""The running service that a command talks to, as the environment names it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from filmroll.cli.console import USAGE, fail

if TYPE_CHECKING:
    from filmroll.client import Client

URL = "FILMROLL_URL"
KEY = "FILMROLL_KEY"
_DEFAULT_URL = "http://127.0.0.1:8000"


def address() -> tuple[str, str | None]:
    """Return the service's address and the key that opens it."""
    return os.environ.get(URL, _DEFAULT_URL).rstrip("/"), os.environ.get(KEY)


@contextmanager
def connected() -> Iterator["Client"]:
    """Lend a client of the service; a fault ends the command with one clear line."""
    from filmroll.client import Client

    with refusals_in_one_line(), Client(*address()) as client:
        yield client


@contextmanager
def refusals_in_one_line(unreachable: int = 1, advice: str = "") -> Iterator[None]:
    """End the command with one line for what the service, or nobody, has answered.

    ``unreachable`` is the exit code for no answer, ``advice`` what to do about an end half way.
    """
    from filmroll.client import ApiError, Unreachable

    try:
        yield
    except Unreachable as fault:
        if fault.passing:
            fail(f"{fault}. {advice}".rstrip(), code=unreachable)
        url, _ = address()
        fail(
            f"nobody answers at {url}. Is `filmroll serve` running? {URL} says where.",
            code=unreachable,
        )
    except ApiError as fault:
        fail(f"{fault} {advice if fault.passing else ''}".rstrip())
    except ValueError as fault:
        fail(str(fault), code=USAGE)
