"""What jobs do that make no variants: fetch, act on many images, make something of an upload."""

from collections.abc import Awaitable, Callable

from filmroll.model import Job

# Makes one attempt, harmless when repeated; returns the job, perhaps with the image it came to.
Errand = Callable[[Job], Awaitable[Job]]


class NotNow(Exception):
    """An errand is put off, be it before or on its way: this attempt does not count."""

    def __init__(self, seconds: float) -> None:
        """The job is sent again after so many ``seconds``, unless somebody calls it before."""
        super().__init__(seconds)
        self.seconds = seconds
