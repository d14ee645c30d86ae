"""The whole catalog."""

from typing import Protocol

from filmroll.ports.access import AccessCatalog
from filmroll.ports.batches import BatchesCatalog
from filmroll.ports.images import ImagesCatalog
from filmroll.ports.jobs import JobsCatalog
from filmroll.ports.sources import SourcesCatalog
from filmroll.ports.uploads import UploadsCatalog
from filmroll.ports.webhooks import WebhooksCatalog


class Catalog(
    ImagesCatalog,
    JobsCatalog,
    BatchesCatalog,
    UploadsCatalog,
    SourcesCatalog,
    WebhooksCatalog,
    AccessCatalog,
    Protocol,
):
    """What is known about images, variants, jobs, batches, uploads, presets and keys.

    Every write is one atomic step on one image (its record, variants and jobs), durable on return.
    A reader that starts after a write has returned sees it, from any process; but for the end of a
    job, which may be seen in its batch's ledger, and by listings, seconds later elsewhere.

    ``deliveries`` are the webhooks that tell of a write: they are kept in the same step, and only
    if it changes something; those to endpoints that are not active (any more) are left out.
    """

    async def settle(self) -> int:
        """End what a crash may have left half done within the catalog; return how much it was.

        Nothing, where every write is one step in the store, too.
        """

    async def check(self) -> None:
        """Write and read back something small; raise what is wrong with the store."""

    async def close(self) -> None:
        """Finish what was begun, then let go of everything."""
