"""What the client raises: the service said no, or did not say anything."""

from collections.abc import Mapping
from typing import Any, Self

_PASSING_STATUSES = frozenset({502, 503, 504})
_PASSING_CODES = frozenset({"idempotency-in-progress"})


class ClientError(Exception):
    """The root: never raised itself."""

    passing = False  # whether the same request may well succeed a little later
    retry_after: float | None = None  # seconds, where the service named them


class ApiError(ClientError):
    """The service refused: its problem document (RFC 9457), in parts.

    ``code`` is the stable name of docs/errors.md, ``detail`` says what to do, ``figures`` holds
    what else the document has: ``title``, ``limit``, ``actual``, ``pointer``.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        figures: dict[str, Any],
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.figures = figures
        self.retry_after = retry_after
        self.passing = status in _PASSING_STATUSES or code in _PASSING_CODES

    @classmethod
    def of(cls, problem: Mapping[str, Any], retry_after: float | None = None) -> Self:
        """Return the error that a problem document with status, code and detail tells of."""
        figures = dict(problem)
        status, code, detail = (figures.pop(key) for key in ("status", "code", "detail"))
        return cls(status, code, detail, figures, retry_after)

    @property
    def problem(self) -> dict[str, Any]:
        """The problem document as a whole."""
        return {
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            **self.figures,
        }

    def __str__(self) -> str:
        pointer = f" (at {self.figures['pointer']})" if self.figures.get("pointer") else ""
        return f"{self.figures.get('title', self.status)}: {self.detail}{pointer}"


class Unreachable(ClientError):
    """No answer came: nobody listens, the connection broke, or time ran out.

    What was being asked may have happened all the same.
    """

    def __init__(self, detail: str, *, passing: bool) -> None:
        super().__init__(detail)
        self.passing = passing
