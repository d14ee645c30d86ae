"""``filmroll translate``: a URL of thumbor or imgproxy, said in Filmroll's words."""

import re
from contextlib import suppress
from enum import StrEnum
from functools import partial
from typing import Annotated
from urllib.parse import urlsplit

import typer

from filmroll.cli.console import err, fail, faults_in_one_line, load_settings
from filmroll.errors import UnknownSource, Untranslatable
from filmroll.migration import Foreign, Imgproxy, Overlay, Sources, parse_presets, thumbor
from filmroll.model import Header
from filmroll.settings import Settings


class Server(StrEnum):
    """Whose URL it is."""

    THUMBOR = "thumbor"
    IMGPROXY = "imgproxy"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(translate)


def translate(
    server: Annotated[Server, typer.Argument(help="Whose URL it is.")],
    url: Annotated[str, typer.Argument(help="The URL, or its path, signature included.")],
    size: Annotated[
        str | None, typer.Option(help="The source's size, as 800x600: some options depend on it.")
    ] = None,
    source_format: Annotated[
        str, typer.Option("--format", help="The source's format, which some options depend on.")
    ] = "jpeg",
) -> None:
    """Print the path that asks Filmroll for the same picture. Signatures are not looked at."""
    settings = load_settings()
    path = _path(server, url)
    sources, header = settings.source_bases, _header(size, source_format)
    with faults_in_one_line():
        foreign = _read(settings, server, path)
        image = _image(sources, foreign.source)
        try:
            made = foreign.instructions(header, partial(_mark, sources))
        except Untranslatable as fault:
            fail(fault.detail, *([] if header else ["Some options need --size, such as 800x600."]))
    typer.echo(f"/i/{image}" + (f"/{made.canonical()}" if made else ""))


def _path(server: Server, url: str) -> str:
    """Return what follows the signature; imgproxy looks at no query."""
    parts = urlsplit(url)
    query = f"?{parts.query}" if server is Server.THUMBOR and parts.query else ""
    return parts.path.lstrip("/").partition("/")[2] + query


def _read(settings: Settings, server: Server, path: str) -> Foreign:
    if server is Server.THUMBOR:
        return thumbor.read(path)
    presets = parse_presets(settings.imgproxy_presets)
    return Imgproxy(presets=presets, watermark=settings.imgproxy_watermark).read(path)


def _image(sources: Sources, text: str) -> str:
    """Return the image's id, or its place where it has none yet: what to upload is said then."""
    with suppress(UnknownSource):
        found = sources.find(text)
        if found.url is None:
            return found.id
    err.print(f"source: {text}", markup=False, soft_wrap=True)
    return "{image}"


def _mark(sources: Sources, text: str) -> Overlay:
    found = sources.find(text)
    if found.url is not None:
        fail(f"The watermark {text} is no image here yet. Upload it, and write its id instead.")
    return Overlay(found.id)


def _header(size: str | None, source_format: str) -> Header | None:
    if size is None:
        return None
    match = re.fullmatch(r"(\d{1,6})x(\d{1,6})", size)
    if match is None:
        fail(f"--size is a width and a height, such as 800x600, not {size}")
    return Header(format=source_format, width=int(match[1]), height=int(match[2]))
