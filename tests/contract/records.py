"""Records for the catalog's suite: whole ones, of which a test names only what matters to it."""

from dataclasses import replace

from filmroll.model import Image, ImageState, Job, Problem, Variant, VariantState, new_id

_IMAGE = Image(
    id="",
    state=ImageState.STORED,
    sha256="ab" * 32,
    bytes=12_345,
    format="jpeg",
    width=640,
    height=480,
    frames=1,
    created_at=1_700_000_000.25,
    name="Übung 1 \N{CAMERA}.jpg",
    metadata={"camera": {"model": "X", "f": 2.8}, "list": [1, None, True]},
    declared=("resize:width=100",),
    ref="shop/17",
)


def image(**fields) -> Image:
    """Return an image; a fresh one unless it gets an id."""
    return replace(_IMAGE, **({"id": new_id()} | fields))


def variant(**fields) -> Variant:
    """Return a variant that is ready."""
    whole = Variant(
        image="",
        recipe="r1",
        instructions="resize:width=100",
        state=VariantState.READY,
        created_at=1_700_000_001.5,
        format="webp",
        width=100,
        height=75,
        bytes=999,
        sha256="cd" * 32,
    )
    return replace(whole, **fields)


def job(**fields) -> Job:
    """Return a queued job."""
    whole = Job(
        id=new_id(),
        image="",
        instructions=("resize:width=100", "rotate:angle=90"),
        created_at=50.0,
        due_at=60.0,
    )
    return replace(whole, **fields)


PROBLEM = Problem(code="corrupt-image", detail="It ends early.", figures={"actual": 3, "name": "ä"})
