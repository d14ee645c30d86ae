"""The synchronous client: the asynchronous one, method by method."""

from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self

from filmroll.client.batches import AsyncBatch
from filmroll.client.core import PATIENCE_SECONDS, AsyncClient
from filmroll.client.face import Face, Portal, named, waits, yields
from filmroll.client.views import BatchView

P = ParamSpec("P")


class Batch(Face[AsyncBatch]):
    """A handle on a batch; see AsyncBatch."""

    @property
    def id(self) -> str:
        """The batch's id."""
        return self.core.id

    @property
    def view(self) -> BatchView:
        """How the batch stood when it was last heard of."""
        return self.core.view

    get = waits(AsyncBatch.get)
    seal = waits(AsyncBatch.seal)
    wait = waits(AsyncBatch.wait)
    changed = waits(AsyncBatch.changed)
    retry = waits(AsyncBatch.retry)
    cancel = waits(AsyncBatch.cancel)
    ask = waits(AsyncBatch.ask)
    put = waits(AsyncBatch.put)
    line = waits(AsyncBatch.line)
    items = yields(AsyncBatch.items)
    unpack = waits(AsyncBatch.unpack)
    archive = yields(AsyncBatch.archive)
    results = yields(AsyncBatch.results)


def opens(
    method: Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, AsyncBatch]],
) -> Callable[Concatenate[Face[AsyncClient], P], Batch]:
    """Make a method that returns a batch."""

    def call(face: Face[AsyncClient], /, *args: P.args, **kwargs: P.kwargs) -> Batch:
        return Batch(face.portal.run(method(face.core, *args, **kwargs)), face.portal)

    return named(call, method)


class Client(Face[AsyncClient]):
    """One service, asked from any thread; see AsyncClient. Close it, or use it as a context."""

    def __init__(
        self, url: str, key: str | None = None, *, patience: float = PATIENCE_SECONDS
    ) -> None:
        core = AsyncClient(url, key, patience=patience)
        super().__init__(core, Portal())

    put = waits(AsyncClient.put)
    get = waits(AsyncClient.get)
    image = waits(AsyncClient.image)
    info = waits(AsyncClient.info)
    delete = waits(AsyncClient.delete)
    push = waits(AsyncClient.push)
    images = yields(AsyncClient.images)
    batches = yields(AsyncClient.batches)
    create_batch = opens(AsyncClient.create_batch)
    batch = opens(AsyncClient.batch)

    def find_batch(self, name: str) -> Batch | None:
        """Return the newest batch of a name."""
        found = self.portal.run(self.core.find_batch(name))
        return Batch(found, self.portal) if found else None

    def close(self) -> None:
        """Let go of the connections and end the loop; twice is harmless."""
        if not self.portal.closed:
            self.portal.run(self.core.close())
            self.portal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
