"""How what cannot be translated is refused."""

from filmroll.errors import Untranslatable


def refuse(option: str, why: str, instead: str = "") -> Untranslatable:
    """Return the error that names the option, says why, and what to use instead."""
    shown = option if len(option) <= 80 else option[:80] + "…"  # noqa: PLR2004 -- of a message
    detail = f"{shown}: {why}." + (f" Use {instead} instead." if instead else "")
    return Untranslatable(detail, option=shown)
