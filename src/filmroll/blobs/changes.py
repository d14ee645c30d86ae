"""The changes that a group on the disk is made of, in two steps with a barrier between them."""

# ruff: noqa: D102 - Change says what each step means

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from filmroll.durable import refusal, write_file
from filmroll.errors import FilmrollError


@dataclass(slots=True)
class Change:
    """One change of a group: two steps, between which the group becomes durable."""

    lasting: bool = field(default=True, kw_only=True)  # whether it has to survive a power cut
    error: FilmrollError | None = field(default=None, init=False)
    folders: Sequence[str] = field(default=(), init=False)  # that were changed

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
            Path(folder).mkdir(parents=True, exist_ok=True)
            Path(self.temporary).rename(self.target)
        self.folders = (folder,)

    def discard(self) -> None:
        if not self.folders:
            with suppress(OSError):
                Path(self.temporary).unlink()


@dataclass(slots=True)
class Delete(Change):
    """Objects on their way out."""

    targets: Sequence[Path]

    def publish(self) -> None:
        folders = []
        for target in self.targets:
            with suppress(FileNotFoundError, NotADirectoryError):
                target.unlink()
                folders.append(str(target.parent))
        self.folders = folders
