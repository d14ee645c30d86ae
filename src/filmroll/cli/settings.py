"""``filmroll settings``: every setting, its value here, its default and its meaning."""

import json
from typing import Annotated, Any

import typer
from rich.table import Table

from filmroll.cli.console import load_settings, out, show
from filmroll.settings import PREFIX, Settings

_SECRET = {"internal_token", "thumbor_key", "imgproxy_key", "imgproxy_salt"}


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("settings")
    def settings(
        as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    ) -> None:
        """Print every setting: its value here, its default, its meaning."""
        rows = describe(load_settings())
        if as_json:
            out.print_json(json.dumps(rows))
            return
        table = Table("variable", "value", "default", "meaning")
        for row in rows:
            table.add_row(row["variable"], row["value"], row["default"], row["meaning"])
        show(table)


def describe(settings: Settings) -> list[dict[str, Any]]:
    """Return a row for each setting."""
    return [
        {
            "variable": PREFIX + name.upper(),
            "value": "…" if name in _SECRET else _shown(getattr(settings, name)),
            "default": _shown(field.get_default(call_default_factory=True)),
            "meaning": field.description or "",
        }
        for name, field in Settings.model_fields.items()
    ]


def _shown(value: Any) -> str:
    return "" if value is None else str(value)
