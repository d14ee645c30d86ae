"""Sources of pictures that are fetched on their first use."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptSource:
    """What is known of a source: the job that fetches it, and the image that it came to.

    The image stays once it is there, deleted or not: that is what the source means here.
    """

    id: str  # follows from the URL
    job: str
    image: str | None = None
    version: int = 1
