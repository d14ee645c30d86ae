"""What libvips said, in words that may be shown."""

import pyvips

from filmroll.engine.faults import too_much_memory
from filmroll.errors import FilmrollError, InternalError

_OUT_OF_MEMORY = "out of memory"


def words(error: pyvips.Error) -> str:
    """Return the first thing that went wrong, without the name of the function it went wrong in.

    There are no paths in it: the engine only ever reads from memory.
    """
    lines = [line.strip() for line in str(error.detail).splitlines() if line.strip()]
    if not lines:
        return "the decoder gave no reason"
    _where, colon, what = lines[0].partition(": ")
    return what if colon else lines[0]


def memory_ran_out(error: pyvips.Error) -> bool:
    """Whether the memory limit of the child is what stopped libvips."""
    return _OUT_OF_MEMORY in str(error.detail)


def fault_of_variant(error: pyvips.Error) -> FilmrollError:
    """Return why a variant could not be made of a source that was decoded without fault."""
    if memory_ran_out(error):
        return too_much_memory()
    return InternalError(f"The variant could not be made: {words(error)}.")
