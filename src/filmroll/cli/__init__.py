"""The command line: ``filmroll …``.

A command imports what it needs when it runs: ``filmroll put`` does not load a server.
"""

import gc

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    # What is loaded stays: to look through it for garbage again and again takes a sixth of the
    # time until a command begins.
    gc.disable()
    from filmroll.cli.commands import app

    gc.freeze()
    gc.enable()
    app()
