"""The catalog's part about sources."""

from typing import Protocol

from filmroll.model import KeptSource


class SourcesCatalog(Protocol):
    """What is known about sources that are fetched on their first use."""

    async def get_source(self, source: str) -> KeptSource | None:
        """Return a source."""

    async def put_source(self, source: KeptSource) -> bool:
        """Replace a source whose stored version is ``source.version - 1``; add it at version 1.

        False, and no change, if it has another version: somebody else was first.
        """
