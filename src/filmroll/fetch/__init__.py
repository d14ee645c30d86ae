"""The guarded way to other servers: adapter of ``ports.Fetcher`` and ``ports.Poster``."""

from filmroll.fetch.client import GuardedClient

__all__ = ["GuardedClient"]
