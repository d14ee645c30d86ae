"""Records for the catalog's suite: whole ones, of which a test names only what matters to it."""

from dataclasses import replace

from filmroll.model import (
    Image,
    ImageState,
    Info,
    Job,
    Problem,
    Swatch,
    Variant,
    VariantState,
    new_id,
)

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


def info(**fields) -> Info:
    """Return what is told of an image."""
    whole = Info(
        format="jpeg",
        width=640,
        height=480,
        frames=1,
        orientation=6,
        color_space="rgb",
        bit_depth=8,
        alpha=False,
        icc_profile="Display P3",
        exif={"Make": "Übung", "GPSLatitude": "51/1 30/1 0/1"},
        palette=(Swatch(color="aabbcc", share=0.75), Swatch(color="000000", share=0.25)),
        blurhash="LKO2?U%2Tw=w]~RBVZRi};RPxuwH",
        thumbhash="1QcSHQRnh493V4dIh4eXh1h4kJUI",
        phash="c4a3964c2bd72a5d",
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
