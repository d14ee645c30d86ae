"""How large parts and wholes may be: the limits of S3, so that any store can keep them."""

from filmroll.errors import InvalidRequest, TooLarge
from filmroll.model import Purpose, Upload

MIN_PART_BYTES = 5 << 20  # but for the last part
MAX_PART_BYTES = 5 << 30
MAX_PARTS = 10_000
MAX_BYTES = MAX_PARTS * MAX_PART_BYTES  # 48.8 TiB
MAX_IMAGE_BYTES = 5 << 30
USUAL_PART_BYTES = 64 << 20
_STEP = 1 << 20


def most_bytes(purpose: Purpose) -> int:
    """Return how many bytes a whole may have."""
    return MAX_IMAGE_BYTES if purpose is Purpose.IMAGE else MAX_BYTES


def require_size(purpose: Purpose, size: int) -> None:
    """Raise TooLarge for a whole that is more than its purpose allows."""
    limit = most_bytes(purpose)
    if size > limit:
        detail = f"An upload to become an {purpose} has at most {limit} bytes."
        raise TooLarge(detail, limit=limit, actual=size)


def part_bytes_for(size: int | None, wanted: int | None) -> int:
    """Return how large the parts of a whole should be: as wanted, or large enough for its size.

    Raises InvalidRequest for a wish out of bounds.
    """
    least = max(MIN_PART_BYTES, -(-(size or 0) // MAX_PARTS))
    if wanted is None:
        return max(USUAL_PART_BYTES, -(-least // _STEP) * _STEP)
    if not least <= wanted <= MAX_PART_BYTES:
        raise InvalidRequest(
            f"A part has {least} to {MAX_PART_BYTES} bytes, and there are at most {MAX_PARTS}.",
            pointer="/part_bytes",
            limit=least if wanted < least else MAX_PART_BYTES,
            actual=wanted,
        )
    return wanted


def part_sizes(size: int, part: int) -> dict[int, int]:
    """Return how many bytes each part of a whole has, by number: the last one what is left."""
    count = -(-size // part)
    return dict.fromkeys(range(1, count), part) | {count: size - (count - 1) * part}


def require_number(number: int) -> None:
    """Raise InvalidRequest for what cannot be the number of a part."""
    if not 1 <= number <= MAX_PARTS:
        raise InvalidRequest(
            f"The parts have the numbers 1 to {MAX_PARTS}.",
            pointer="/n",
            limit=MAX_PARTS,
            actual=number,
        )


def part_limit(upload: Upload) -> int:
    """Return how many bytes one part of an upload may have."""
    return MAX_PART_BYTES if upload.bytes is None else min(MAX_PART_BYTES, upload.bytes)


def part_too_large(limit: int, actual: int) -> TooLarge:
    """Return the error for a part over ``limit`` bytes."""
    detail = f"This part may have at most {limit} bytes: of one part, or announced for the whole."
    return TooLarge(detail, limit=limit, actual=actual)
