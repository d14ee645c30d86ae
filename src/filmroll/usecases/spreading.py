"""Several variants of one original, spread over engines that have nothing else to do."""

from collections.abc import Sequence

from filmroll.instructions import Instructions, Resize

_WHOLE = 100e6  # pixels: of a variant that is not scaled, more than any that is


def spread(wanted: Sequence[Instructions], parts: int) -> list[list[Instructions]]:
    """Divide variants into ``parts`` at most (at least 1) that are about as much work.

    Each part is decoded for itself, as small as its largest variant allows. So the largest are
    parted from the rest first: what the rest does not have to decode is more than what is decoded
    twice.
    """
    heaps: list[list[Instructions]] = [[] for _ in range(max(1, min(parts, len(wanted))))]
    weights = [0.0] * len(heaps)
    for one in sorted(wanted, key=_pixels, reverse=True):
        lightest = weights.index(min(weights))
        heaps[lightest].append(one)
        weights[lightest] += _pixels(one)
    return heaps


def _pixels(instructions: Instructions) -> float:
    """Return about how many pixels the first resize leaves, as far as it says so itself."""
    for step in instructions.steps:
        if isinstance(step, Resize):
            width = step.width or step.height or 0
            height = step.height or step.width or 0
            return width * height * step.dpr**2
    return _WHOLE
