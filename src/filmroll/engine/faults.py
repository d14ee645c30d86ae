"""The limits of a child, in the words of a problem; parent and child say the same."""

from filmroll.errors import Overloaded, ProcessingLimit

_CALMER = 10  # seconds after which a busy machine may have more time


def too_much_memory() -> ProcessingLimit:
    """Return the problem of a picture that does not fit into a child's memory."""
    return ProcessingLimit(
        "The picture needs more memory than one picture may have. Ask for a smaller one."
    )


def too_much_output(most: int) -> ProcessingLimit:
    """Return the problem of a picture that makes a job's output too large."""
    return ProcessingLimit(
        f"All variants made at once may have {most >> 20} MiB. Ask for fewer or smaller ones.",
        limit=most,
    )


def too_slow(seconds: float) -> ProcessingLimit:
    """Return the problem of a job that took too long."""
    return ProcessingLimit(
        f"Processing took longer than {seconds:g} seconds. Ask for less at once.", limit=seconds
    )


def too_busy(wall: float, used: float) -> Overloaded:
    """Return the problem of a job that the machine had no time for; the picture may be sound."""
    return Overloaded(
        f"The machine is too busy: in {wall:g} seconds the picture got {used:.1f} of CPU time. "
        "Retry later.",
        retry_after=_CALMER,
    )
