"""The command line: ``filmroll …``.

A command imports what it needs when it runs: ``filmroll put`` does not load a server.
"""

from filmroll.cli.main import main

__all__ = ["main"]
