"""From settings to objects: the one place that knows every adapter."""

from filmroll.wiring.remote import create_stores
from filmroll.wiring.services import build_worker, open_housekeeping, open_services
from filmroll.wiring.stores import Stores, open_stores

__all__ = [
    "Stores",
    "build_worker",
    "create_stores",
    "open_housekeeping",
    "open_services",
    "open_stores",
]
