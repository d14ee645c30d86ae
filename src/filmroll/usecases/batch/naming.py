"""How the files of an archive that is handed out are called: after their refs, and never twice."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

FAILURES = "filmroll-failures.ndjson"  # tells what is missing

_DRIVE = re.compile(r"^([A-Za-z]):")
_EXTENSIONS: Mapping[str, tuple[str, ...]] = {
    "jpeg": ("jpg", "jpeg"),
    "png": ("png",),
    "webp": ("webp",),
    "gif": ("gif",),
    "avif": ("avif",),
    "tiff": ("tif", "tiff"),
}
_KNOWN = {extension for extensions in _EXTENSIONS.values() for extension in extensions}


def safe_path(ref: str) -> str:
    """Return a ref as a relative path that leads nowhere else, on whatever system."""
    parts = ref.replace("\\", "/").split("/")
    kept = [_DRIVE.sub(r"\1_", part) for part in parts if part not in {"", ".", ".."}]
    return "/".join(kept) or "unnamed"


def with_extension(name: str, format_: str) -> str:
    """Return a name that ends as files of a format do; an extension of another one goes."""
    suffix = PurePosixPath(name).suffix
    said, fitting = suffix[1:].lower(), _EXTENSIONS[format_]
    if said in fitting:
        return name
    stem = name.removesuffix(suffix) if said in _KNOWN else name
    return f"{stem}.{fitting[0]}"


class Names:
    """Hands out names, each once. Keeps all of them, some 100 bytes each."""

    def __init__(self) -> None:
        self._last = {FAILURES: 1}  # the number that a name was last given with

    def take(self, wanted: str) -> str:
        """Return a name, with a number before its extension if it was given before."""
        number = self._last.get(wanted, 0)
        suffix = PurePosixPath(wanted).suffix
        name = wanted
        while name in self._last:
            number += 1
            name = f"{wanted.removesuffix(suffix)} ({number}){suffix}"
        self._last[wanted] = max(number, 1)
        self._last.setdefault(name, 1)
        return name
