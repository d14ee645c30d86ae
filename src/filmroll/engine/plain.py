"""What libvips said, in words that may be shown."""

import pyvips

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
