"""What a client says it can show: ``Accept``, by its q-values (RFC 9110), for ``format=auto``.

The answers are few, so that few variants are made and kept. AVIF and WebP count only where they
are named: programs that cannot show them send ``*/*`` and ``image/*``, too. JPEG, PNG and GIF
are taken to be shown by everyone.
"""

import re
from functools import lru_cache

from starlette.types import Scope

VARY = "filmroll.vary"  # the key in a scope of the set of headers that its answer depends on
_NAME = b"accept"
_READ = 1024  # characters; browsers send about 100
_Q = re.compile(r"q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.IGNORECASE)
_BASICS = ("image/jpeg", "image/png", "image/gif")
_WIDER = ("image/*", "*/*")


def shown_by(scope: Scope) -> str:
    """Return which of AUTO_FORMATS a client gets."""
    lines = [value for name, value in scope["headers"] if name == _NAME]
    return choice(b",".join(lines)[:_READ].decode("latin-1"))


@lru_cache(256)
def choice(accept: str) -> str:
    """Return which of AUTO_FORMATS an ``Accept`` comes to; "" stands for none."""
    weights = _weights(accept)
    webp, avif = weights.get("image/webp", 0.0), weights.get("image/avif", 0.0)
    basic = max(_weight(weights, kind) for kind in _BASICS)
    likes_webp = webp > 0 and webp >= basic
    likes_avif = avif > 0 and avif >= max(basic, webp)
    if likes_avif:
        return "auto-avif-webp" if likes_webp else "auto-avif"
    return "auto-webp" if likes_webp else "auto-basic"


def _weights(accept: str) -> dict[str, float]:
    """Return the q of each media range; one that is named twice has the lower one."""
    weights: dict[str, float] = {}
    for element in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in element.split(";"))
        weights[kind] = min(_q(parameters), weights.get(kind, 1.0))
    return weights


def _q(parameters: list[str]) -> float:
    """Return the weight: 1 unless it is given, 0 if what is given is none."""
    given = next((part for part in parameters if re.match(r"q\s*=", part)), "q=1")
    match = _Q.fullmatch(given)
    return float(match[1]) if match else 0.0


def _weight(weights: dict[str, float], kind: str) -> float:
    """Return the weight of a kind, by the narrowest range that holds it."""
    return next((weights[name] for name in (kind, *_WIDER) if name in weights), 0.0)
