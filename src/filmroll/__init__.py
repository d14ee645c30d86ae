"""Filmroll: an imaging service, from upload to delivery, that never loses an acknowledged image.

``from filmroll import Client, AsyncClient`` talks to a running one.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from filmroll.client import AsyncClient, Client

__version__ = "0.1.0"
__all__ = ["AsyncClient", "Client", "__version__"]


def __getattr__(name: str) -> Any:
    """Load the client when it is asked for: a service does without it."""
    if name not in {"AsyncClient", "Client"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from filmroll import client  # noqa: PLC0415 -- only those who use it load it

    return getattr(client, name)
