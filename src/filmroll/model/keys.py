"""Where bytes lie in the blob store."""

from filmroll.model.ids import derived_id, new_id

BLOB_ROOTS = ("o/", "v/", "p/")  # what keys begin with: of originals, variants, parts


def original_key(image: str) -> str:
    """Return where an image's bytes lie in the blob store."""
    return f"o/{image[:2]}/{image}"


def variant_prefix(image: str) -> str:
    """Return what the keys of all variants of an image begin with."""
    return f"v/{image[:2]}/{image}/"


def variant_key(image: str, recipe: str) -> str:
    """Return where the bytes of one variant lie: the same for every attempt to make it."""
    return f"{variant_prefix(image)}{recipe}"


def part_key(upload: str, number: int) -> str:
    """Return where a part lies: a fresh place for every attempt to send it."""
    return f"p/{upload[:2]}/{upload}/{number}-{new_id()}"


def direct_key(upload: str, number: int) -> str:
    """Return where a part lies that its client sends to the store itself: one place for each."""
    return f"p/{upload[:2]}/{upload}/{number}-{derived_id('direct', upload, str(number))}"
