"""The file of what a push could not bring: lines that can be pushed again."""

import json
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self

if TYPE_CHECKING:
    from filmroll.client.tally import Failure, Tally


class FailureFile:
    """Takes a tally's failures down, and appears under its name when the push has ended.

    It may be the very file that is being pushed. A push without failures removes the one that an
    earlier push has left.
    """

    def __init__(self, path: Path | None, tally: "Tally") -> None:
        """Without a path it is named after the batch, in this folder."""
        self._path = path
        self._tally = tally
        self._file: IO[str] | None = None
        tally.on_failure = self._write

    @property
    def path(self) -> Path | None:
        """Where the failures are; None if there are none."""
        return self._target() if self._file else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._part().replace(self._target())
        elif kind is None:
            self._target().unlink(missing_ok=True)

    def _write(self, failure: "Failure") -> None:
        if self._file is None:
            self._file = self._part().open("w", encoding="ascii")
        self._file.write(json.dumps(failure) + "\n")

    def _part(self) -> Path:
        target = self._target()
        return target.with_name(target.name + ".part")

    def _target(self) -> Path:
        if self._path is not None:
            return self._path
        name = self._tally.batch["name"] if self._tally.batch else None
        return Path(f"{(name or 'push').replace('/', '-')}-failures.ndjson")
