"""Items that come one by one, taken in together: they share what a group costs."""

import asyncio
import copy
from collections import defaultdict, deque

from filmroll.ports import Catalog
from filmroll.usecases.batch.ingest import Arrival, Ingest
from filmroll.usecases.batch.lines import Verdict, known

_GROUP_ITEMS = 64
_FLIGHTS = 2  # groups of one batch under way: one is prepared while the other goes to the disk

_Waiting = tuple[Arrival, "asyncio.Future[Verdict]"]


class Gathering:
    """While a group of a batch is on its way to the disk, the next one gathers."""

    def __init__(self, catalog: Catalog, ingest: Ingest) -> None:
        self._catalog = catalog
        self._ingest = ingest
        self._waiting: dict[str, deque[_Waiting]] = defaultdict(deque)
        self._flights: dict[str, set[asyncio.Task[None]]] = defaultdict(set)

    async def take(self, batch: str, arrival: Arrival) -> Verdict:
        """Keep an item; see ``Ingest.take``. Raises NotFound for an unknown batch."""
        outcome: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._waiting[batch].append((arrival, outcome))
        if len(self._flights[batch]) < _FLIGHTS:
            flight = asyncio.create_task(self._fly(batch))
            self._flights[batch].add(flight)
        try:
            return await asyncio.shield(outcome)
        except asyncio.CancelledError:
            await asyncio.wait({outcome})  # until then the body is in use
            raise

    async def _fly(self, batch: str) -> None:
        """Take groups in as long as there are any."""
        waiting = self._waiting[batch]
        while waiting:
            group = [waiting.popleft() for _ in range(min(len(waiting), _GROUP_ITEMS))]
            await self._land(batch, group)
        flight = asyncio.current_task()
        assert flight is not None, "it runs as a task"
        self._flights[batch].discard(flight)
        if not self._flights[batch]:
            del self._flights[batch], self._waiting[batch]

    async def _land(self, batch_id: str, group: list[_Waiting]) -> None:
        try:
            batch = known(await self._catalog.get_batch(batch_id))
            verdicts = await self._ingest.take(batch, [arrival for arrival, _ in group])
        except Exception as fault:  # noqa: BLE001 - whatever it is, it is the callers' to see
            for _, outcome in group:
                outcome.set_exception(copy.copy(fault))
            return
        for (_, outcome), verdict in zip(group, verdicts, strict=True):
            outcome.set_result(verdict)
