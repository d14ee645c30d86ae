"""The probe and arbitrary bytes: it answers or refuses, and does nothing else."""

from io import BytesIO

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from filmroll.errors import FilmrollError
from filmroll.limits import Limits
from filmroll.probe import HeaderProbe
from tests import samples

probe = HeaderProbe(Limits())
SEEDS = {
    "jpeg": samples.make("jpeg", 24, 16, orientation=6),
    "png": samples.make("png", 24, 16, orientation=6),
    "webp": samples.make("webp", 24, 16, orientation=6),
    "webp, animated": samples.make("webp", 24, 16, frames=3),
    "gif, animated": samples.make("gif", 24, 16, frames=3),
    "avif": samples.make("avif", 24, 16, orientation=6),
    "tiff": samples.make("tiff", 24, 16, frames=2),
    "bigtiff": samples.make("tiff", 24, 16, bigtiff=True),
}
EDGES = (b"\0", b"\xff", b"\x7f", b"\x80", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0" * 8, b"\xff" * 8)


def answers_or_refuses(data: bytes) -> None:
    try:
        header = probe(BytesIO(data), len(data))
    except FilmrollError:
        return
    assert min(header.width, header.height, header.frames) > 0


@given(st.binary(max_size=400))
@example(b"")
def test_any_bytes(data: bytes) -> None:
    answers_or_refuses(data)


@pytest.mark.parametrize(
    "magic", [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\0\1\0\0WEBP", b"GIF89a",
              b"\0\0\0\x14ftypavif\0\0\0\0avif", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"],
)  # fmt: skip
@given(data=st.binary(max_size=200))
@settings(max_examples=60)
def test_any_bytes_behind_a_magic(magic: bytes, data: bytes) -> None:
    answers_or_refuses(magic + data)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_cut(seed: str) -> None:
    for length in range(len(SEEDS[seed])):
        answers_or_refuses(SEEDS[seed][:length])


@pytest.mark.parametrize("seed", SEEDS)
def test_every_byte_at_its_edges(seed: str) -> None:
    data = SEEDS[seed]
    for at in range(min(len(data), 600)):
        for edge in EDGES:
            answers_or_refuses(data[:at] + edge + data[at + len(edge) :])


@pytest.mark.parametrize("seed", SEEDS)
@given(data=st.data())
@settings(max_examples=60)
def test_mutations(seed: str, data: st.DataObject) -> None:
    changed = bytearray(SEEDS[seed])
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(changed)))
        gone = data.draw(st.integers(0, 9))
        changed[at : at + gone] = data.draw(st.binary(max_size=9))
    answers_or_refuses(bytes(changed))
