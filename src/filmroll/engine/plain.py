"""What libvips said, in words that may be shown."""

import pyvips

# So libvips says it, and the encoders of JPEG, AVIF and WebP. Some have no word of their own for
# it; but nothing else makes them fail on a picture that keeps all limits.
_OUT_OF_MEMORY = (
    "out of memory",
    "failed to allocate",
    "Insufficient memory",
    "Memory allocation error",
    "Initialization problem",
    "Encoding problem",
    "unable to encode",
    "picture memory error",
    "anim add error",
)


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
    said = str(error.detail)
    return any(words in said for words in _OUT_OF_MEMORY)
