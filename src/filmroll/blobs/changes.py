"""The changes that a group on the disk is made of, in two steps with a barrier between them."""

# ruff: noqa: D102 - Change says what each step means

import os
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from filmroll.durable import refusal, write_file
from filmroll.errors import FilmrollError

_RACES = 10  # lost one after the other: no chance


@dataclass(slots=True)
class Change:
    """One change of a group: two steps, between which the group becomes durable."""

    lasting: bool = field(default=True, kw_only=True)  # whether it has to survive a power cut
    error: FilmrollError | None = field(default=None, init=False)
    folders: Sequence[str] = field(default=(), init=False)  # that were changed
    made: Sequence[str] = field(default=(), init=False)  # folders that were not there

    def write(self) -> None:
        """Do what has to be durable before anybody sees it."""

    def publish(self) -> None:
        """Let everybody see it."""

    def discard(self) -> None:
        """Leave nothing behind of what was not published."""

    def attempt(self, step: Callable[[], None]) -> None:
        """Take a step unless one failed before; an error of one change is no other's."""
        if self.error is None:
            try:
                step()
            except OSError as exc:
                self.error = refusal(exc)


@dataclass(slots=True)
class Put(Change):
    """An object on its way in; without a body it lies in ``temporary`` already, durable."""

    temporary: str
    target: str
    body: bytes | None

    def write(self) -> None:
        if self.body is not None:
            write_file(self.temporary, self.body)

    def publish(self) -> None:
        # os.path and os.rename here: pathlib takes several times as long.
        folder = os.path.dirname(self.target)  # noqa: PTH120 - see above
        try:
            os.rename(self.temporary, self.target)  # noqa: PTH104 - see above
        except FileNotFoundError:
            self._publish_in_new(Path(folder))
            self.made = (folder,)
        self.folders = (folder,)

    def _publish_in_new(self, folder: Path) -> None:
        """Make the folder; again if somebody who deletes takes it away, being empty."""
        for _ in range(_RACES):
            folder.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):
                Path(self.temporary).rename(self.target)
                return
        Path(self.temporary).rename(self.target)

    def discard(self) -> None:
        if not self.folders:
            with suppress(OSError):
                Path(self.temporary).unlink()


@dataclass(slots=True)
class Delete(Change):
    """Objects on their way out, and those of their folders that go with the last object."""

    targets: Sequence[Path]
    passing: Collection[Path]
    older_than: float | None  # seconds since the epoch; what was modified since stays

    def publish(self) -> None:
        changed = set()
        for target in self.targets:
            with suppress(FileNotFoundError, NotADirectoryError):
                if self.older_than is None or target.stat().st_mtime < self.older_than:
                    target.unlink()
                    changed.add(target.parent)
        for folder in self.passing:
            with suppress(OSError):  # something is left in it, or it is gone
                folder.rmdir()
                changed.discard(folder)
                changed.add(folder.parent)
        self.folders = [str(folder) for folder in changed]
