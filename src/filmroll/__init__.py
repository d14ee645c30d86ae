"""Filmroll: an imaging service, from upload to delivery, that never loses an acknowledged image."""

__version__ = "0.1.0"
__all__ = ["__version__"]
