"""What a figure raises when a peer or a tool is not there and cannot be had."""

import shutil


class Missing(Exception):
    """Says what is missing and how to get it."""


class Wrong(Exception):
    """An answer was not what it should be: what was measured is worth nothing."""


def tool(name: str, package: str) -> str:
    """Return the path of a program of Debian's; raises Missing."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if path is None:
        raise Missing(f"{name} is missing: apt-get install {package}")
    return path
