"""The engine: turns an original into pictures, in child processes that may die without harm.

``pool`` is the parent's side, ``child`` the other end of the socket; ``pipeline`` is the way of a
picture through ``steps``. Only modules that run in a child import pyvips, and none that runs there
imports asyncio: a child has to be ready soon.
"""
