"""The catalog in one SQLite file, split by subject."""

from pathlib import Path

from filmroll.catalog.checks import round_trip
from filmroll.catalog.sqlite.batches import Batches
from filmroll.catalog.sqlite.images import Images
from filmroll.catalog.sqlite.jobs import Jobs
from filmroll.catalog.sqlite.keys import Keys
from filmroll.catalog.sqlite.presets import Presets
from filmroll.catalog.sqlite.requests import Requests
from filmroll.catalog.sqlite.sources import Sources
from filmroll.catalog.sqlite.tables import MIGRATIONS
from filmroll.catalog.sqlite.uploads import Uploads
from filmroll.catalog.sqlite.webhooks import Webhooks
from filmroll.groups import Gathering
from filmroll.sqlite import Database

__all__ = ["SqliteCatalog"]

# A commit for the end of each job alone costs a fiftieth of what making its variants does.
_ENDS, _ENDS_SECONDS = 4, 0.05


class SqliteCatalog(Images, Jobs, Batches, Uploads, Sources, Webhooks, Presets, Keys, Requests):
    """Everything that ``ports.Catalog`` promises, for several processes on one machine."""

    def __init__(self, path: Path) -> None:
        """Open or create the file; StoreUnavailable if it cannot be used."""
        self._db = Database(path, MIGRATIONS)
        self._ends = Gathering(_ENDS, _ENDS_SECONDS)

    async def settle(self) -> int:
        """Find nothing: a transaction is whole or is not there."""
        return 0

    async def check(self) -> None:
        """Write and read back something small; raise what is wrong with the store."""
        await round_trip(self)

    async def close(self) -> None:
        """Finish what was begun, then let go of everything."""
        await self._db.close()
