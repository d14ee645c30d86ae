"""By what caches in front of the service know what a picture was made of.

Small letters, digits, ``-`` and ``_``: safe in headers, in JSON and in URLs.
"""


def image_tag(image: str) -> str:
    """Return what the original and all variants of an image are tagged with."""
    return image


def preset_tag(name: str) -> str:
    """Return what is tagged with that stands under a preset's name; no image's id looks so."""
    return f"preset-{name}"
