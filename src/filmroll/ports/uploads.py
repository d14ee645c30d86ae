"""The catalog's part about large objects on their way in."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from filmroll.model import Job, Upload, UploadPart


class PartStanding(NamedTuple):
    """The upload after a part was offered, whether that was taken, and which part it replaced."""

    upload: Upload | None
    taken: bool
    replaced: UploadPart | None = None


class UploadsCatalog(Protocol):
    """What is known about large objects on their way in."""

    async def add_upload(self, upload: Upload) -> Upload:
        """Add an upload; if the id exists already, return the one that is there, unchanged."""

    async def get_upload(self, upload: str) -> Upload | None:
        """Return an upload; the cost is the same however many parts it has."""

    async def update_upload(self, upload: Upload, job: Job | None = None) -> bool:
        """Replace an upload whose stored version is ``upload.version - 1``; with it, add a job.

        False, and no change, if it has another version: a part has come, or it is further.
        """

    async def put_part(self, part: UploadPart, offset: int | None = None) -> PartStanding:
        """Add a part to an open upload, or replace the one that has its number.

        The upload's sums, its version and its expiry follow in the same step. With an ``offset``
        the part is taken only if it is the next one, and the parts so far have just so many bytes.
        """

    async def list_parts(self, upload: str, after: int, limit: int) -> Sequence[UploadPart]:
        """Return parts whose number is over ``after``, in order."""

    async def due_uploads(self, before: float, limit: int) -> Sequence[Upload]:
        """Return uploads whose ``expires_at`` is before that time."""

    async def drop_parts(self, upload: str, through: int) -> None:
        """Forget the parts of an upload that has ended, up to that number; else no change.

        Its sums stay.
        """

    async def forget_uploads(self, uploads: Sequence[Upload]) -> None:
        """Forget those of the uploads that have ended and are still of the version given.

        Their parts were dropped before.
        """
