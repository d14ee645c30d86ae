"""Searches over an encoder's settings, each with a bounded number of encodings.

Nothing in them depends on the clock: the same picture always comes to the same bytes.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from filmroll.engine.similarity import Similarity

Encode = Callable[[Mapping[str, Any]], bytes]

# The score that ``quality=auto`` keeps: about what the formats' own qualities give a photograph.
TARGET = 0.98
# What it may come to. Below, smooth skies show blocks that the score does not see; above, the
# grain of a rough surface would cost more than it is worth. Of 32 steps 5 tries find the right one.
_AUTO: Mapping[str, range] = {
    "jpeg": range(70, 90),
    "webp": range(68, 90),
    "avif": range(50, 75),
}
SQUEEZES = 5


def alike_enough(kind: str, encode: Encode, similarity: Similarity) -> int:
    """Return the lowest quality that keeps TARGET, or the highest there is."""
    low, high = _AUTO[kind][0], _AUTO[kind][-1]
    while low < high:
        quality = (low + high) // 2
        if similarity.of(encode({"Q": quality})) >= TARGET:
            high = quality
        else:
            low = quality + 1
    return low


def squeezed(encode: Encode, settings: Sequence[Mapping[str, Any]], ceiling: int) -> bytes:
    """Return the best file of at most ``ceiling`` bytes, else the smallest there is.

    ``settings`` begin with what gives the smallest; SQUEEZES of them are tried.
    """
    best: bytes | None = None
    smallest = b""
    low, high = 0, len(settings) - 1
    for left in reversed(range(SQUEEZES)):
        if low > high:
            break
        step = (low + high) // 2 if left or best is not None else low
        data = encode(settings[step])
        if len(data) <= ceiling:
            best, low = data, step + 1
        else:
            smallest, high = min(smallest or data, data, key=len), step - 1
    return best or smallest
