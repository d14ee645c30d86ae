"""``filmroll serve`` and the three roles that it unites."""

from collections.abc import Callable
from typing import Annotated

import typer

from filmroll.cli.console import faults_in_one_line, load_settings
from filmroll.settings import Role, Settings

_PORTS = {Role.ALL: 8000, Role.UPLOAD: 8001, Role.DOWNLOAD: 8002, Role.WORKER: 8003}
_HELP = {
    Role.ALL: "Run everything: one process to start, one port, one data folder.",
    Role.UPLOAD: "Run the Upload API alone: everything under /v1.",
    Role.DOWNLOAD: "Run the Download API alone: everything under /i.",
    Role.WORKER: "Run the processing role alone: jobs, and calls of the other roles.",
}


def register(app: typer.Typer) -> None:
    """Add a command for each role."""
    for role in Role:
        app.command(role.value, help=_HELP[role])(_command(role))


def _command(role: Role) -> Callable[..., None]:
    def run(
        host: Annotated[str | None, typer.Option(help="Address; FILMROLL_HOST")] = None,
        port: Annotated[int | None, typer.Option(help="Port; FILMROLL_PORT")] = None,
        data: Annotated[str | None, typer.Option(help="Data folder; FILMROLL_DATA")] = None,
    ) -> None:
        settings = load_settings(host=host, port=port, data=data)
        if "port" not in settings.model_fields_set:
            settings = settings.model_copy(update={"port": _PORTS[role]})
        with faults_in_one_line():
            _serve(role, settings)

    return run


def _serve(role: Role, settings: Settings) -> None:
    import uvloop

    from filmroll.cli import serving

    uvloop.run(serving.run(role, settings))
