"""imgproxy's URLs: ``/<signature>/<option>/<option>/…/plain/<source>@<extension>``.

In place of ``plain/…`` the source may be written in URL-safe base64, cut by ``/`` at will, its
extension behind a dot.
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from filmroll.errors import InvalidRequest
from filmroll.migration.imgproxy.arguments import decode
from filmroll.migration.imgproxy.options import Options, Presets, read
from filmroll.migration.refusal import refuse

_ABBREVIATED = re.compile(r"(plain/\w+):/(?!/)")
_BASIC = {"fit", "fill", "fill-down", "force", "auto"}  # the first part of URLs up to version 2


@dataclass(frozen=True, slots=True)
class Request:
    """What stands in a URL."""

    source: str
    options: Options


def restored(path: str) -> str:
    """Return the path with all slashes of a plain source, where a proxy on the way left one."""
    return _ABBREVIATED.sub(_slashes, path, count=1)


def _slashes(match: re.Match[str]) -> str:
    return f"{match[1]}:///" if match[1] == "plain/local" else f"{match[1]}://"


def parse(path: str, presets: Presets) -> Request:
    """Read what follows the signature; raise InvalidRequest or Untranslatable."""
    parts = path.split("/")
    if parts[0] in _BASIC:
        parts = _modern(parts)
    first = next((at for at, part in enumerate(parts) if ":" not in part), len(parts))
    options = read(parts[:first], presets)
    source, extension = _source(parts[first:])
    if extension and not options.raw:
        options = read([*parts[:first], f"format:{extension}"], presets)
    return Request(source, options)


def parse_presets(text: str) -> Presets:
    """Read ``name=option/option,name=…``, as IMGPROXY_PRESETS has it; raise ValueError."""
    presets = {}
    for line in filter(None, (part.strip() for part in text.split(","))):
        name, equals, options = line.partition("=")
        if not (name and equals and options):
            raise ValueError(f"must be name=option/option,name=…, not {line!r}")
        presets[name.strip()] = tuple(options.strip().strip("/").split("/"))
    return presets


def _modern(parts: list[str]) -> list[str]:
    """Return the options that a basic URL, type/width/height/gravity/enlarge/…, stands for."""
    kind, *rest = parts
    if len(rest) < 5:  # noqa: PLR2004 -- four arguments and a source
        raise InvalidRequest("Write type/width/height/gravity/enlarge and the source behind them.")
    width, height, gravity, enlarge, *source = rest
    return [f"resize:{kind}:{width}:{height}:{enlarge}", f"gravity:{gravity}", *source]


def _source(parts: list[str]) -> tuple[str, str]:
    """Return the source and the extension behind it."""
    if parts[:1] == ["plain"]:
        text, _, extension = "/".join(parts[1:]).partition("@")
        source = unquote(text)
    elif parts[:1] == ["enc"]:
        raise refuse("enc", "encrypted sources are not read here", "plain or base64, signed")
    else:
        text, _, extension = "".join(parts).partition(".")
        source = decode(text, "source")
    if not source:
        raise InvalidRequest("The URL names no source behind its options.")
    if not re.fullmatch(r"\w*", extension):
        raise InvalidRequest("The source is followed by more than one extension.")
    return source, extension
