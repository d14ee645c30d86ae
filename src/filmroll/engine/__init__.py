"""The engine: turns an original into pictures, in child processes that may die without harm.

``pool`` is the parent's side, ``child`` the other end of the socket; ``pipeline`` is the way of a
picture through ``steps``. Only modules that run in a child import pyvips.
"""

from filmroll.engine.pool import EnginePool
from filmroll.engine.process import Bounds

__all__ = ["Bounds", "EnginePool"]
