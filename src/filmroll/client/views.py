"""The JSON of the API, typed: the words are those of docs/http-api.md, and stay what they are."""

from typing import Any, Literal, NotRequired, Required, TypedDict

OnDuplicate = Literal["new", "reuse", "reject"]
BatchState = Literal["open", "sealed", "completed", "completed_with_errors", "cancelled", "expired"]
LineState = Literal["declared", "queued", "processing", "succeeded", "failed", "cancelled"]
Problem = dict[str, Any]  # a problem document: status, code, title, detail, figures


class VariantView(TypedDict):
    """A picture made from an image; what is not known before it is ready is None."""

    recipe: str
    instructions: str
    state: Literal["pending", "ready", "failed"]
    url: str
    format: str | None
    content_type: str | None
    width: int | None
    height: int | None
    bytes: int | None
    problem: Problem | None


class ImageView(TypedDict):
    """An uploaded image with its variants."""

    id: str
    name: str | None
    state: Literal["stored", "ready", "failed", "deleted"]
    sha256: str  # hex
    bytes: int
    format: str
    content_type: str
    width: int
    height: int
    frames: int
    created_at: str
    tags: list[str]
    metadata: dict[str, Any]
    batch: str | None
    ref: str | None
    url: str
    variants: list[VariantView]
    problem: Problem | None


class SwatchView(TypedDict):
    """A colour (rrggbb) of a picture, and its share of it (0 to 1)."""

    color: str
    share: float


class InfoView(TypedDict):
    """What is told of an image; ``exif`` has what was asked for, None for what it has not."""

    image: str
    format: str
    content_type: str
    width: int
    height: int
    bytes: int
    frames: int
    orientation: int
    color_space: Literal["rgb", "gray", "cmyk", "lab"]
    bit_depth: int
    alpha: bool
    icc_profile: str | None
    dominant_color: str | None
    palette: list[SwatchView]
    blurhash: str
    thumbhash: str
    perceptual_hash: str | None
    exif: dict[str, str | None]


class Counts(TypedDict):
    """Sums over the lines of a batch."""

    declared: int
    received: int
    duplicate: int
    stored: int
    processing: int
    succeeded: int
    failed: int
    bytes: int


class PartView(TypedDict):
    """A part of an upload that the service has."""

    n: int
    bytes: int
    etag: str
    sha256: str  # hex
    at: str


class UploadView(TypedDict):
    """An upload in parts as it stands, with a page of its parts."""

    id: str
    state: Literal["open", "completing", "completed", "failed", "aborted", "expired"]
    purpose: Literal["image", "archive"]
    bytes: int | None
    part_bytes: int
    batch: str | None
    ref: str | None
    image: str | None
    problem: Problem | None
    items: list[PartView]
    next_cursor: str | None


class BatchView(TypedDict):
    """A batch as it stands."""

    id: str
    name: str | None
    action: str
    state: BatchState
    on_duplicate: OnDuplicate
    variants: list[str]
    expected_count: int | None
    webhook: str | None
    created_at: str
    expires_at: str
    sealed_at: str | None
    finished_at: str | None
    counts: Counts
    links: dict[str, str]


class ManifestLine(TypedDict, total=False):
    """What a manifest says of one item; only ``ref`` has to be there."""

    ref: Required[str]
    sha256: str  # hex
    bytes: int
    source: str | dict[str, str]  # "upload", {"url": …} or {"blob": …}
    variants: list[str]
    name: str
    tags: list[str]
    metadata: dict[str, Any]


class LineView(ManifestLine, total=False):
    """A line of a batch's ledger; fields without a value are left out."""

    state: LineState
    image: str
    url: str
    duplicate: bool
    attempts: int
    problem: Problem
    at: str


class Verdict(TypedDict):
    """What the service says to one manifest line; ``ref`` is None for one it could not read.

    ``broken`` is the last one of a manifest that could not be read to its end.
    """

    ref: str | None
    state: Literal["have", "need", "queued", "rejected", "broken"]
    line: NotRequired[int]
    image: NotRequired[str]
    upload: NotRequired[dict[str, Any]]
    problem: NotRequired[Problem]


class MemberVerdict(TypedDict):
    """What became of one member of an archive; ``ref`` is None in the last line, the sum."""

    ref: str | None
    state: Literal["stored", "have", "rejected", "skipped", "end", "broken"]
    image: NotRequired[str]
    sha256: NotRequired[str]
    bytes: NotRequired[int]
    problem: NotRequired[Problem]
    reason: NotRequired[str]
