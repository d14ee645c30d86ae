"""Running a role in this process, from its settings to its end."""

import asyncio
import gc

import structlog

from filmroll.cli.console import err, fail
from filmroll.settings import LogFormat, Role, Settings
from filmroll.telemetry import configure_logging
from filmroll.web.app import DELIVERING, UPLOADING, App
from filmroll.web.server import reserve, serve
from filmroll.web.services import Services
from filmroll.wiring import build_worker, open_services

log = structlog.get_logger()


async def run(role: Role, settings: Settings) -> None:
    """Serve until SIGTERM; raise CannotStart if something is in the way."""
    configure_logging(settings.log)
    listener = reserve(settings)
    port = int(listener.getsockname()[1])
    async with open_services(settings, role) as services:
        if not settings.open_access and role is not Role.WORKER and not await services.keys.any():
            fail(
                f"access needs keys here, and {settings.data} holds none: make one with "
                f"`FILMROLL_DATA={settings.data} filmroll keys create NAME --scope admin`, or say "
                "FILMROLL_ACCESS=open to let everybody in"
            )
        if not settings.open_access and role in UPLOADING | DELIVERING:
            await services.keys.ensure_signing()
        worker = build_worker(services) if services.engine else None
        watch = asyncio.create_task(services.liveness.watch()) if services.liveness else None
        if worker:
            worker.start()
        app = App(services, role)
        _spare_the_collector()

        def ready() -> None:
            _announce(role, services, port)

        try:
            await serve(app, settings, listener, ready)
        finally:
            if worker:
                await worker.drain(settings.drain_seconds)
            if watch:
                watch.cancel()


def _spare_the_collector() -> None:
    """Have what lives as long as the process looked at never again: that takes 40 ms each time."""
    gc.collect()
    gc.freeze()


def _announce(role: Role, services: Services, port: int) -> None:
    settings = services.settings
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = settings.public_url or f"http://{host}:{port}"
    if settings.log is LogFormat.JSON:
        log.info("ready", role=role.value, url=url, data=str(settings.data.resolve()))
        return
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
