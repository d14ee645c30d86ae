"""Client hints as HTTP has them, ``Sec-CH-DPR`` and the like; their older names, too."""

from collections.abc import Collection, Mapping, Sequence

from starlette.types import Scope

from filmroll.usecases.hints import RATIOS, WIDTHS, Hint, Hints

ACCEPT_CH = (b"accept-ch", b"Sec-CH-DPR, Sec-CH-Width, DPR, Width")

_NAMES: Mapping[Hint, Sequence[str]] = {
    Hint.RATIO: ("Sec-CH-DPR", "DPR"),
    Hint.WIDTH: ("Sec-CH-Width", "Width"),
    Hint.FRUGAL: ("Save-Data",),
}
HINTS = {name.lower().encode() for names in _NAMES.values() for name in names}


def hints_of(scope: Scope) -> Hints:
    """Return what a client says; what makes no sense it has not said."""
    said = {name: value for name, value in scope["headers"] if name in HINTS}
    if not said:
        return Hints()
    ratio, width = _figure(said, Hint.RATIO), _figure(said, Hint.WIDTH)
    return Hints(
        ratio=1 if ratio is None else _class(ratio, RATIOS),
        width=None if width is None else int(_class(width, WIDTHS)),
        frugal=said.get(b"save-data", b"").strip().lower() == b"on",
    )


def varying(heeded: Collection[Hint]) -> set[str]:
    """Return the headers on which an answer depends."""
    return {name for hint in heeded for name in _NAMES[hint]}


def _figure(said: Mapping[bytes, bytes], hint: Hint) -> float | None:
    values = (said.get(name.lower().encode()) for name in _NAMES[hint])
    text = next((value for value in values if value is not None), b"")
    try:
        figure = float(text)
    except ValueError:
        return None
    return figure if 0 < figure < 1_000_000 else None  # noqa: PLR2004 -- NaN and nonsense are none


def _class(figure: float, classes: Sequence[float]) -> float:
    """Return the first class that is large enough, else the last."""
    return next((one for one in classes if one >= figure), classes[-1])
