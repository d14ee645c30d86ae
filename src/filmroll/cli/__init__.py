"""The command line: ``filmroll …``."""

from filmroll.cli.main import main

__all__ = ["main"]
