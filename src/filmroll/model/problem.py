"""Why something failed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from filmroll.errors import FilmrollError, InternalError, catalogue


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Why something failed, in a form that can be kept and shown."""

    code: str
    detail: str
    figures: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, error: FilmrollError) -> "Problem":
        """Keep the public part of an error."""
        return cls(code=error.code, detail=error.detail, figures=error.figures)

    def error(self) -> FilmrollError:
        """Return the error that this problem was made of."""
        kinds = {kind.code: kind for kind in catalogue()}
        return kinds.get(self.code, InternalError)(self.detail, **self.figures)
