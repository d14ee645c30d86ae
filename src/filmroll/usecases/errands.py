"""What jobs do that make no variants: fetch, act on many images, make something of an upload."""

from collections.abc import Awaitable, Callable

from filmroll.model import BatchState, Job, JobKind
from filmroll.ports import Catalog

# Makes one attempt, harmless when repeated; returns the job, perhaps with the image it came to.
Errand = Callable[[Job], Awaitable[Job]]


class NotNow(Exception):
    """An errand is put off, be it before or on its way: this attempt does not count."""

    def __init__(self, seconds: float, given_back: Callable[[], None] | None = None) -> None:
        """The job is sent again after so many ``seconds``, unless somebody calls it before.

        ``given_back`` is called as soon as another attempt may begin.
        """
        super().__init__(seconds)
        self.seconds = seconds
        self.given_back = given_back


async def called_off(catalog: Catalog, job: Job) -> bool:
    """Whether the batch has ended of which a job is to do one item.

    In one that expired, variants of what it has stored are made all the same. A batch's own job
    looks for itself: it may have begun something that it has to end.
    """
    batch = await catalog.get_batch(job.batch) if job.batch and job.ref else None
    ended = {BatchState.CANCELLED}
    if job.kind is JobKind.FETCH:
        ended.add(BatchState.EXPIRED)
    return batch is not None and batch.state in ended
