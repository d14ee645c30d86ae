"""What was asked for with an upload, made while the client waits or left to the queue."""

from filmroll.model import Image, ImageState, JobState
from filmroll.usecases.images import Images
from filmroll.usecases.jobs import Jobs
from filmroll.usecases.outbox import Outbox


class Completion:
    """Sees to the variants of images that were just stored."""

    def __init__(self, images: Images, jobs: Jobs, outbox: Outbox) -> None:
        self._images = images
        self._jobs = jobs
        self._outbox = outbox

    async def wait(self, image: Image, seconds: float) -> Image | None:
        """Return the image once its variants are made, or None if that takes over ``seconds``.

        If they cannot be made at all, the image is deleted again and the reason raised: a
        synchronous upload succeeds as a whole or leaves nothing.
        """
        if image.state is not ImageState.STORED:
            return image
        job = await self._jobs.run(image.id, seconds)
        if job is None:
            return None
        if job.state is JobState.FAILED and job.problem is not None:
            await self._images.delete(image.id)
            raise job.problem.error()
        return await self._images.get(image.id)

    def later(self, image: Image) -> None:
        """Leave the variants of a stored image to the queue."""
        self._outbox.enqueue_variants(image)
