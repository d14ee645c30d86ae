"""The probe and AVIF's boxes: files put together by hand around a real picture, held to libvips."""

import struct
from dataclasses import dataclass
from io import BytesIO

import pytest
import pyvips

from filmroll.errors import CorruptImage, UnsupportedMedia
from filmroll.limits import Limits
from filmroll.model import Header
from filmroll.probe import HeaderProbe
from tests import samples

WIDTH, HEIGHT = 64, 48


def probe(data: bytes) -> Header:
    return HeaderProbe(Limits())(BytesIO(data), len(data))


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", len(body) + 8) + kind + body


def full(kind: bytes, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def number(value: int, count: int) -> bytes:
    return value.to_bytes(count)


def found(data: bytes, kind: bytes) -> bytes:
    """Return a whole box out of a file."""
    at = data.index(kind) - 4
    return data[at : at + int.from_bytes(data[at : at + 4])]


@dataclass(frozen=True, kw_only=True)
class Avif:
    """An AVIF with one picture, to be bent in one point."""

    brands: bytes = b"avif\0\0\0\0mif1avifmiaf"
    sides: tuple[int, int] = (WIDTH, HEIGHT)
    properties: tuple[bytes, ...] = ()
    associated: tuple[int, ...] | None = None
    wide: bool = False  # ids and indices of two and four bytes
    iloc_version: int = 0
    in_box: bool = False  # the data lie in idat, not in mdat
    large: bool = False  # mdat has its size in 64 bits
    last: bool = False  # mdat takes the rest of the file
    shift: int = 0  # what is wrong with the offset
    longer: int = 0  # what is wrong with the length
    extra: bytes = b""
    drop: bytes = b""

    def data(self) -> bytes:
        real = samples.avif(WIDTH, HEIGHT, keep="none")
        picture = found(real, b"mdat")[8:]
        head = box(b"ftyp", self.brands) + self.extra
        start = len(head + self._meta(real, picture, 0)) + (16 if self.large else 8)
        return head + self._meta(real, picture, start) + self._mdat(picture)

    def _mdat(self, picture: bytes) -> bytes:
        if self.in_box:
            return b""
        if self.large:
            return number(1, 4) + b"mdat" + number(len(picture) + 16, 8) + picture
        return number(0, 4) + b"mdat" + picture if self.last else box(b"mdat", picture)

    def _meta(self, real: bytes, picture: bytes, start: int) -> bytes:
        id_bytes = 4 if self.wide else 2
        parts = {
            b"hdlr": found(real, b"hdlr"),
            b"pitm": full(b"pitm", number(1, id_bytes), version=int(self.wide)),
            b"iloc": self._iloc(len(picture), 0 if self.in_box else start),
            b"iinf": full(
                b"iinf", number(1, 2), full(b"infe", b"\0\1\0\0av01picture\0", version=2)
            ),
            b"iprp": self._iprp(real),
            b"idat": box(b"idat", picture) if self.in_box else b"",
        }
        return full(b"meta", *(part for kind, part in parts.items() if kind != self.drop))

    def _iloc(self, length: int, start: int) -> bytes:
        version, wide = self.iloc_version, self.iloc_version == 2
        method = number(int(self.in_box), 2) if version else b""
        item = number(1, 4 if wide else 2) + method + number(0, 2)
        extent = number(1, 2) + number(start + self.shift, 4) + number(length + self.longer, 4)
        return full(b"iloc", b"\x44\0", number(1, 4 if wide else 2), item, extent, version=version)

    def _iprp(self, real: bytes) -> bytes:
        ispe = full(b"ispe", number(self.sides[0], 4), number(self.sides[1], 4))
        known = [found(real, b"av1C"), ispe, *self.properties]
        refers = self.associated or tuple(range(1, len(known) + 1))
        width = 2 if self.wide else 1
        ipma = full(
            b"ipma",
            number(1, 4),
            number(1, 4 if self.wide else 2),
            number(len(refers), 1),
            *(number(index, width) for index in refers),
            version=int(self.wide),
            flags=int(self.wide),
        )
        return box(b"iprp", box(b"ipco", *known), *([] if self.drop == b"ipma" else [ipma]))


def irot(turns: int) -> bytes:
    return box(b"irot", number(turns, 1))


IMIR = box(b"imir", b"\1")
CLAP = box(b"clap", struct.pack(">IIIIiIiI", 40, 1, 60, 2, 0, 1, 0, 1))

RIGHT = {
    "plain": Avif(),
    "a quarter turn": Avif(properties=(irot(1),)),
    "half a turn": Avif(properties=(irot(2),)),
    "three quarters": Avif(properties=(irot(3),)),
    "mirrored": Avif(properties=(IMIR,)),
    "turned and mirrored": Avif(properties=(irot(1), IMIR)),
    "cut": Avif(properties=(CLAP,)),
    "cut and turned": Avif(properties=(CLAP, irot(1))),
    "a turn of something else": Avif(properties=(irot(1),), associated=(1, 2)),
    "wide numbers": Avif(properties=(irot(1),), wide=True),
    "iloc 1": Avif(iloc_version=1),
    "iloc 2": Avif(iloc_version=2),
    "data in idat": Avif(iloc_version=1, in_box=True),
    "size of 64 bits": Avif(large=True),
    "the rest of the file": Avif(last=True),
    "AVIF among the brands": Avif(brands=b"mif1\0\0\0\0miafavif"),
    "an unknown box": Avif(extra=box(b"free", bytes(40))),
}


@pytest.mark.parametrize("name", RIGHT)
def test_as_libvips_sees_it(name: str) -> None:
    data = RIGHT[name].data()
    image = pyvips.Image.new_from_buffer(data, "", fail_on="error")
    image.avg()
    assert probe(data) == Header(format="avif", width=image.width, height=image.height)


BROKEN = {
    "no meta": b"\0\0\0\x10ftypavif\0\0\0\0",
    "no primary item": Avif(drop=b"pitm").data(),
    "no places": Avif(drop=b"iloc").data(),
    "no properties": Avif(drop=b"iprp").data(),
    "no associations": Avif(drop=b"ipma").data(),
    "no size": Avif(associated=(1,)).data(),
    "a size of 0": Avif(sides=(0, 9)).data(),
    "a property that is missing": Avif(associated=(1, 2, 9)).data(),
    "data beyond the file": Avif(shift=1).data(),
    "data longer than the file": Avif(longer=1).data(),
    "data longer than idat": Avif(iloc_version=1, in_box=True, longer=1).data(),
    "data at the other end of the world": Avif(shift=2**31).data(),
    "no data": Avif(longer=-len(found(samples.avif(WIDTH, HEIGHT, keep="none"), b"mdat")) + 8),
    "box of 3 bytes": Avif(extra=b"\0\0\0\3free").data(),
    "box beyond the file": Avif(extra=b"\x7f\0\0\0free").data(),
    "box of 2 ** 64 bytes": Avif(extra=b"\0\0\0\1free" + b"\xff" * 8).data(),
    "cut in the data": Avif().data()[:-1],
    "cut in the data at the end": Avif(last=True).data()[:-1],
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken(name: str) -> None:
    broken = BROKEN[name]
    with pytest.raises(CorruptImage):
        probe(broken.data() if isinstance(broken, Avif) else broken)


def test_extents_without_bytes_end_too() -> None:
    # Every number is 0 bytes wide, so a table of some kB claims 2 ** 32 pieces of data.
    items = (number(1, 2) + number(0, 2) + number(0xFFFF, 2)) * 0xFFFF
    iloc = full(b"iloc", b"\0\0", number(0xFFFF, 2), items)
    data = Avif(drop=b"iloc").data()
    meta = found(data, b"meta")
    with pytest.raises(CorruptImage, match="more parts"):
        probe(data.replace(meta, box(b"meta", meta[8:], iloc)))


@pytest.mark.parametrize(
    "avif", [Avif(brands=b"avis\0\0\0\0avifavis"), Avif(extra=box(b"moov", bytes(20)))]
)
def test_sequences_are_refused_not_cut_to_one_frame(avif: Avif) -> None:
    with pytest.raises(UnsupportedMedia, match="sequences"):
        probe(avif.data())


def test_real_ones_survive_being_looked_at() -> None:
    for size in ((1, 1), (7, 300), (1024, 3)):
        assert probe(samples.avif(*size)).width == size[0]
