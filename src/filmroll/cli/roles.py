"""``filmroll serve`` and the three roles that it unites."""

import asyncio
from collections.abc import Callable
from typing import Annotated

import typer
import uvloop

from filmroll.cli.console import err, fail, faults_in_one_line, load_settings
from filmroll.settings import Settings
from filmroll.telemetry import configure_logging
from filmroll.web.app import UPLOADING, App, Role
from filmroll.web.server import free_port, serve
from filmroll.web.services import Services
from filmroll.wiring import build_worker, open_services

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
        configure_logging(settings.log)
        with faults_in_one_line():
            uvloop.run(_run(role, settings))

    return run


async def _run(role: Role, settings: Settings) -> None:
    port = free_port(settings)
    async with open_services(settings, role) as services:
        if not settings.open_access and role is not Role.WORKER and not await services.keys.any():
            fail(
                "access needs keys here, and there are none: make one with `filmroll keys create "
                "NAME --scope admin`, or say FILMROLL_ACCESS=open to let everybody in"
            )
        worker = build_worker(services) if services.engine else None
        watch = asyncio.create_task(services.liveness.watch()) if services.liveness else None
        if worker:
            worker.start()
        app = App(services, role)

        def ready() -> None:
            _announce(role, services, port)

        await serve(app, settings.host, port, ready, settings.drain_seconds)
        if worker:
            await worker.drain()
        if watch:
            watch.cancel()


def _announce(role: Role, services: Services, port: int) -> None:
    settings = services.settings
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = settings.public_url or f"http://{host}:{port}"
    err.print(f"[bold green]filmroll {role.value}[/] is ready: [bold]{url}[/]", soft_wrap=True)
    err.print(f"  data     {settings.data.resolve()}", markup=False, soft_wrap=True)
    if role in UPLOADING:
        key = "" if settings.open_access else ' -H "Authorization: Bearer $FILMROLL_KEY"'
        upload = f"{url}/v1/images?variant=resize:width=800/output:format=webp"
        err.print(
            f"  try it   curl{key} --data-binary @photo.jpg '{upload}'",
            markup=False,
            soft_wrap=True,
        )
        err.print(f"  docs     {url}/docs", markup=False, soft_wrap=True)
