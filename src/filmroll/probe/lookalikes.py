"""What bytes look like that are no image Filmroll takes, so that the refusal can name it."""

import re

# In this order: the first that fits is named.
_LOOKS = tuple(
    (re.compile(pattern, re.DOTALL | re.IGNORECASE), name)
    for pattern, name in (
        (rb".{4}ftyp(hei|hev)", "HEIC"),
        (rb".{4}ftyp(mif1|msf1)", "HEIF"),
        (rb".{4}ftypcrx ", "a camera's raw file (CR3)"),
        (rb".{4}ftyp", "a video (MP4)"),
        (rb"\s*<(!doctype html|html)", "HTML"),
        (rb"\s*<(svg|[?!].*?<svg)", "SVG"),
        (rb"\s*<\?xml", "XML"),
        (rb"%PDF-", "PDF"),
        (rb"%!PS", "PostScript"),
        (rb"8BPS", "Photoshop (PSD)"),
        (rb"MATLAB [57]\.", "MATLAB"),
        (rb"\x89HDF\r\n\x1a\n", "HDF5"),
        (rb"SIMPLE  =", "FITS"),
        (rb"BM.{4}\0\0\0\0", "BMP"),
        (rb"\0\0[\x01\x02]\0", "a Windows icon"),
        (rb"\xff\x0a|\0\0\0\x0cJXL ", "JPEG XL"),
        (rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  ", "JPEG 2000"),
        (rb"PK\x03\x04", "a ZIP archive"),
        (rb"\x1f\x8b", "a gzip archive"),
        # UTF-8; the last character may be cut.
        (rb"([\t\n\f\r -~]|[\xc2-\xf4][\x80-\xbf]{1,3})+.{0,3}\Z", "text"),
    )
)


_INSTEAD = {
    "HEIC": "Send it as JPEG or AVIF: phones and photo programs convert it when they share it",
    "HEIF": "Send it as JPEG or AVIF: phones and photo programs convert it when they share it",
    "JPEG XL": "Send the JPEG that it was made from, or a PNG",
    "SVG": "Send a PNG of it, twice as large as it will be shown",
    "PDF": "Send its pages as PNG or JPEG",
}


def instead_of(name: str) -> str | None:
    """Return what to send in the place of what ``looks_like`` has named."""
    return _INSTEAD.get(name)


def looks_like(head: bytes) -> str | None:
    """Return what a file is, going by its first bytes, or None if that cannot be told."""
    return next((name for look, name in _LOOKS if look.match(head)), None)
