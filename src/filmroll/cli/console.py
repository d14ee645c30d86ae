"""Talking to the person: one place for faults that end a command."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from filmroll.errors import FilmrollError
from filmroll.settings import CannotStart, Settings, SettingsError, load

out = Console(highlight=False)


def show(table: Table) -> None:
    """Print a table whole: on a narrow terminal it wraps, but no id or name is cut off."""
    for column in table.columns:
        column.overflow = "fold"
    out.print(table)


err = Console(stderr=True, highlight=False)
USAGE = 2


def fail(*lines: str, code: int = 1) -> NoReturn:
    """Print a line for each fault and end."""
    for line in lines:
        err.print(f"filmroll: {line}", markup=False, soft_wrap=True)
    raise typer.Exit(code)


def load_settings(**overrides: Any) -> Settings:
    """Return the settings, or end with a line for each fault."""
    try:
        return load(**overrides)
    except SettingsError as fault:
        fail(*fault.faults, code=USAGE)


@contextmanager
def faults_in_one_line() -> Iterator[None]:
    """End with one clear line for what a person can mend."""
    try:
        yield
    except CannotStart as fault:
        fail(str(fault))
    except FilmrollError as fault:
        fail(fault.detail)
