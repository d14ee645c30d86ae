"""thumbor's URLs, read."""

from dataclasses import dataclass

from filmroll.instructions import Instructions
from filmroll.migration.plan import Mark, Plan
from filmroll.migration.thumbor.plan import instructions
from filmroll.migration.thumbor.url import UNSIGNED, Request, parse
from filmroll.model import Header

__all__ = ["UNSIGNED", "ThumborUrl", "read"]


@dataclass(frozen=True, slots=True)
class ThumborUrl:
    """What a URL asks for; see ``filmroll.migration.Foreign``."""

    request: Request
    expires: None = None
    attachment: None = None
    lasting: bool = True
    perhaps_whole: bool = False

    @property
    def source(self) -> str:
        """The image, as the URL names it."""
        return self.request.image

    def instructions(self, header: Header | None, mark: Mark) -> Instructions:
        """Return what to do with the source."""
        return instructions(self.request, Plan(header, mark))


def read(path: str) -> ThumborUrl:
    """Read what follows the signature, with its query, percent-encoded as it was sent."""
    return ThumborUrl(parse(path))
