"""Archives on their way in: what lies in the spool, and stores that fail meanwhile."""

import asyncio
import json
from contextlib import aclosing

import pytest

from filmroll.errors import BrokenArchive, IncompleteBody, UnsupportedMedia
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


async def test_a_slow_stream_is_kept_as_it_comes(yard: Yard) -> None:
    """What has come is not held back until a group is full."""
    body, batch = tar(dict(list(FILES.items())[:3])), await yard.open()
    go = asyncio.Event()

    async def slow():
        yield body[: 2 * 5120]
        await asyncio.sleep(0.6)
        yield body[2 * 5120 : 3 * 5120 + 100]
        await go.wait()
        yield body[3 * 5120 + 100 :]

    async with aclosing(yard.archives.take(batch.id, slow())) as groups:
        taking = asyncio.create_task(anext(groups))
        async with asyncio.timeout(5):
            while not await yard.ledger(batch):  # noqa: ASYNC110 -- nobody rings a bell
                await asyncio.sleep(0.02)
        go.set()
        assert (await taking)[0].word is Word.STORED
