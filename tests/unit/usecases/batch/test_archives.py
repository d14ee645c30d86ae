"""Archives on their way in: what lies in the spool, and stores that fail meanwhile."""

import asyncio
import json
from contextlib import aclosing

import pytest

from filmroll.errors import BrokenArchive, IncompleteBody, UnsupportedMedia
from filmroll.usecases.batch import pairing
from filmroll.usecases.batch.lines import Verdict, Word
from tests.samples import jpeg, tiny_jpeg
from tests.unit.archives.making import tar
from tests.unit.usecases.batch.yard import MIB, Broken, Yard, chunks

FILES = {f"{n:03}.jpg": tiny_jpeg(n) for n in range(200)}
SAID = json.dumps({"tags": ["said"]}).encode()


async def taken(yard: Yard, batch, body: bytes) -> list[Verdict]:
    return [
        verdict async for group in yard.archives.take(batch.id, chunks(body)) for verdict in group
    ]


def told(verdicts: list[Verdict]) -> dict[str, Word]:
    return {verdict.ref: verdict.word for verdict in verdicts}


async def test_a_store_that_fails_once_costs_one_group(yard: Yard) -> None:
    batch = await yard.open()
    Broken(yard.blobs, "put_all", 2, done=True)
    verdicts = await taken(yard, batch, tar(FILES))
    assert [verdict.ref for verdict in verdicts] == list(FILES)
    lost = [verdict for verdict in verdicts if verdict.word is Word.REJECTED]
    assert 0 < len(lost) <= 64
    assert {verdict.problem.code for verdict in lost} == {"store-unavailable"}
    assert len(await yard.ledger(batch)) == len(FILES) - len(lost)
    again = told(await taken(yard, batch, tar(FILES)))
    assert {ref for ref, word in again.items() if word is Word.STORED} == {
        verdict.ref for verdict in lost
    }
    assert len(await yard.stored()) == len(FILES)


async def test_a_pair_is_one_item_wherever_a_group_ends(yard: Yard) -> None:
    for before in (61, 62, 63, 64, 65):
        batch = await yard.open()
        files = dict(list(FILES.items())[:before]) | {
            "pair.jpg": tiny_jpeg(900),
            "pair.json": SAID,
            "other.json": SAID,
            "other.jpg": tiny_jpeg(901),
        }
        words = told(await taken(yard, batch, tar(files)))
        assert (words["pair.json"], words["other.json"]) == (Word.SKIPPED, Word.SKIPPED)
        lines = await yard.ledger(batch)
        for ref in ("pair.jpg", "other.jpg"):
            kept = await yard.catalog.get_image(lines[ref].image)
            assert kept.tags == ("said",)


LARGE = jpeg(64, 48) + bytes(2 * MIB)


@pytest.mark.parametrize(
    "files",
    [
        {"a.jpg": LARGE, "b.jpg": LARGE},
        {"a.jpg": b"none" * MIB, "a.json": SAID},
        {"a.json": SAID.ljust(2 * MIB), "a.jpg": LARGE},
        {"a.json": SAID.ljust(2 * MIB), "b.json": SAID.ljust(2 * MIB)},
        {"a.jpg": LARGE, "a.json": b"{"},
        {"a.jpg": LARGE * 5, "b.jpg": LARGE},
    ],
)
async def test_nothing_stays_in_the_spool(yard: Yard, files: dict[str, bytes]) -> None:
    await taken(yard, await yard.open(), tar(files))
    assert yard.spooled() == []


@pytest.mark.parametrize("cut", [0.2, 0.5, 0.9])
async def test_nothing_of_a_broken_archive_stays_in_the_spool(yard: Yard, cut: float) -> None:
    body = tar({f"{n}.jpg": LARGE + bytes([n]) for n in range(4)})
    batch = await yard.open()
    with pytest.raises(BrokenArchive):
        await taken(yard, batch, body[: int(len(body) * cut)])
    assert yard.spooled() == []
    assert len(await yard.ledger(batch)) == int(cut * 4)


async def test_what_came_before_the_connection_broke_is_answered_then_told(yard: Yard) -> None:
    body, batch, seen = tar(FILES), await yard.open(), []

    async def breaking():
        async for chunk in chunks(body[: len(body) // 2]):
            yield chunk
        raise IncompleteBody("gone")

    async def read():
        async for group in yard.archives.take(batch.id, breaking()):
            seen.extend(verdict.ref for verdict in group)

    with pytest.raises(IncompleteBody):
        await read()
    assert 90 < len(seen) < 110
    assert list(await yard.ledger(batch)) == seen == list(FILES)[: len(seen)]


async def test_what_is_no_archive_is_answered_with_nothing(yard: Yard) -> None:
    groups = yard.archives.take((await yard.open()).id, chunks(b"no archive"))
    with pytest.raises(UnsupportedMedia):
        await anext(groups)


class Slow:
    """A stream that goes on only when it is told to."""

    def __init__(self, *parts: bytes) -> None:
        self._parts = parts
        self.go = asyncio.Event()

    async def chunks(self):
        yield self._parts[0]
        for part in self._parts[1:]:
            await self.go.wait()
            self.go.clear()
            yield part


def parts(*groups: dict[str, bytes]) -> list[bytes]:
    """Return a tar cut between groups of its members."""
    bodies = [tar(group) for group in groups]
    ends = [len(body.rstrip(b"\0")) + -len(body.rstrip(b"\0")) % 512 for body in bodies]
    *rest, last = [body[:end] for body, end in zip(bodies, ends, strict=True)]
    return [*rest, last + bytes(1024)]


async def answered(groups) -> dict[str, Word]:
    async with asyncio.timeout(5):
        return told(list(await anext(groups)))


async def test_a_stream_that_pauses_holds_nothing_back_but_the_last(yard: Yard) -> None:
    """The last file may still get its sidecar."""
    batch, files = await yard.open(), dict(list(FILES.items())[:3])
    stream = Slow(*parts(files, {"003.jpg": FILES["003.jpg"], "003.json": SAID}))
    async with aclosing(yard.archives.take(batch.id, stream.chunks())) as groups:
        assert await answered(groups) == dict.fromkeys(["000.jpg", "001.jpg"], Word.STORED)
        assert (await yard.ledger(batch)).keys() == {"000.jpg", "001.jpg"}
        stream.go.set()
        assert await answered(groups) == {
            "002.jpg": Word.STORED, "003.jpg": Word.STORED, "003.json": Word.SKIPPED,
        }  # fmt: skip
        assert [one async for one in groups] == []


async def test_after_a_long_pause_an_image_waits_for_its_sidecar_no_more(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairing, "_SIDECAR_SECONDS", 0.6)
    batch = await yard.open()
    stream = Slow(*parts({"a.jpg": FILES["000.jpg"]}, {"a.json": SAID, "b.jpg": FILES["001.jpg"]}))
    async with aclosing(yard.archives.take(batch.id, stream.chunks())) as groups:
        assert await answered(groups) == {"a.jpg": Word.STORED}
        stream.go.set()
        assert await answered(groups) == {"a.json": Word.REJECTED, "b.jpg": Word.STORED}
    assert (await yard.ledger(batch)).keys() == {"a.jpg", "b.jpg"}


@pytest.mark.parametrize("first", ["a.jpg", "a.json"])
async def test_a_pause_within_a_pair_does_not_part_it(yard: Yard, first: str) -> None:
    batch = await yard.open()
    files = {"a.jpg": FILES["000.jpg"], "a.json": SAID}
    other = ({"a.jpg", "a.json"} - {first}).pop()
    stream = Slow(*parts({first: files[first]}, {other: files[other]}))
    async with aclosing(yard.archives.take(batch.id, stream.chunks())) as groups:
        answer = asyncio.create_task(answered(groups))
        await asyncio.sleep(1.2)
        stream.go.set()
        assert await answer == {"a.jpg": Word.STORED, "a.json": Word.SKIPPED}
    line = (await yard.ledger(batch))["a.jpg"]
    image = await yard.catalog.get_image(line.image)
    assert image is not None
    assert image.tags == ("said",)


@pytest.mark.parametrize("size", [100, 2 * MIB])
async def test_a_reader_that_leaves_during_a_pause_leaves_nothing_behind(
    yard: Yard, size: int
) -> None:
    body = tar({"a.jpg": LARGE, "b.jpg": jpeg(64, 48) + bytes(size)})
    stream = Slow(body[: len(LARGE) + 5000], b"")
    async with aclosing(yard.archives.take((await yard.open()).id, stream.chunks())) as groups:
        reading = asyncio.create_task(anext(groups))
        await asyncio.sleep(0.2)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
    assert yard.spooled() == []
