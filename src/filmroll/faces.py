"""Whether faces can be found here: the detector is an extra, for its 85 MB.

The API refuses what needs it before a body is read; the engine, which may run elsewhere, again.
"""

from functools import cache
from importlib.util import find_spec

from filmroll.errors import InvalidInstructions
from filmroll.instructions import Crop, Instructions, Resize

_MODULES = ("dlib", "numpy")


@cache
def installed() -> bool:
    """Whether the packages of the extra ``faces`` are there; nothing is loaded."""
    return all(find_spec(name) is not None for name in _MODULES)


def require_detector(instructions: Instructions) -> None:
    """Raise InvalidInstructions with a pointer if faces are asked for and cannot be found."""
    for position, operation in enumerate(instructions.operations):
        match operation:
            case Crop(gravity="face") | Resize(gravity="face") if not installed():
                raise InvalidInstructions(
                    "gravity=face needs a face detector, which is not installed on this server. "
                    "Install filmroll[faces], or say gravity=smart.",
                    pointer=f"/{position}/gravity",
                )
