"""What only a file can show: several stores on it, its safety, and errors that stay one's own."""

import asyncio
import sqlite3
from dataclasses import replace

import apsw
import pytest

from filmroll.catalog.records import encode, others
from filmroll.catalog.sqlite import SqliteCatalog, images
from filmroll.catalog.sqlite.tables import MIGRATIONS
from filmroll.errors import StoreUnavailable
from filmroll.model import Job, JobState, bands, new_id
from filmroll.ports import ImageFilter, Similar
from tests.contract.children import run_children
from tests.contract.records import image, job


@pytest.fixture
async def sqlite(tmp_path):
    store = SqliteCatalog(tmp_path / "catalog.db")
    yield store
    await store.close()


def sound(path) -> bool:
    return apsw.Connection(str(path)).pragma("integrity_check") == "ok"


async def test_a_search_through_a_crowded_band_holds_up_nobody(sqlite, tmp_path):
    """Twenty thousand hashes end alike; none is like the one that is looked for."""
    crowd = [
        (bands(phash)[0], float(number), f"{number:026d}", phash)
        for number in range(20_000)
        if (phash := f"{number * 0x9E3779B97F4A7C15 % (1 << 48):012x}0000")
    ]
    with apsw.Connection(str(tmp_path / "catalog.db")) as writer:
        writer.executemany("INSERT INTO looks VALUES (?, ?, ?, ?)", crowd)
    like = ImageFilter(similar=Similar(phash="123456789abc0000", distance=3))
    searches = [asyncio.create_task(sqlite.list_images(like, 9, None)) for _ in range(2)]
    turns = 0
    while not all(search.done() for search in searches):
        await asyncio.sleep(0)
        turns += 1
    assert [search.result().items for search in searches] == [(), ()]
    assert turns > 5


async def test_what_a_search_meets_is_told_as_ever(sqlite, monkeypatch):
    def broken(*_):
        raise apsw.CorruptError("it is")

    monkeypatch.setattr(images, "_select", broken)
    with pytest.raises(StoreUnavailable):
        await sqlite.list_images(ImageFilter(similar=Similar(phash="0" * 16, distance=3)), 9, None)


async def test_a_write_is_seen_by_another_store_at_once(sqlite, tmp_path):
    other = SqliteCatalog(tmp_path / "catalog.db")
    for writer, reader in ((sqlite, other), (other, sqlite)):
        record = await writer.add_image(image(), None)
        assert await reader.get_image(record.id) == record
        assert await writer.update_image(replace(record, name="new", version=2))
        assert (await reader.get_image(record.id)).name == "new"
    await other.close()


async def test_two_processes_write_to_a_file_at_once(sqlite, tmp_path):
    for number in range(50):
        await sqlite.add_job(job(id=f"shared{number}"))
    acknowledged = await run_children("add_images", tmp_path / "catalog.db", count=2)
    images = {line for line in acknowledged if not line.startswith("shared")}
    claims = [line for line in acknowledged if line.startswith("shared")]
    assert len(images) == 400
    page = await sqlite.list_images(ImageFilter(), 1000, None)
    assert {record.id for record in page.items} == images
    assert all([await sqlite.get_job(id_) for id_ in images])
    assert sorted(claims) == sorted(f"shared{number}" for number in range(50))
    assert sound(tmp_path / "catalog.db")


async def test_two_processes_create_the_file_at_once(tmp_path):
    acknowledged = await run_children("add_images", tmp_path / "new" / "catalog.db", count=3)
    assert len(acknowledged) == 600
    assert sound(tmp_path / "new" / "catalog.db")


async def test_the_error_of_one_write_is_its_own(sqlite):
    good = [image() for _ in range(20)]
    bad = [image(name=object()), image(batch="\ud800"), image(created_at=None)]
    outcomes = await asyncio.gather(
        *(sqlite.add_image(each, None) for each in [*good[:10], *bad, *good[10:]]),
        return_exceptions=True,
    )
    errors = outcomes[10:13]
    assert all(isinstance(error, Exception) for error in errors), errors
    assert not any(isinstance(error, apsw.Error) for error in errors), errors
    assert outcomes[:10] + outcomes[13:] == good
    assert [await sqlite.get_image(each.id) for each in good] == good
    assert [await sqlite.get_image(each.id) for each in bad] == [None] * 3


async def test_half_a_write_is_undone(sqlite):
    record = image(id=(id_ := new_id()), tags=("t",))
    with pytest.raises(ValueError, match="serialize"):
        await sqlite.add_image(record, job(id=id_, image=id_, batch=object()))
    assert await sqlite.get_image(id_) is None
    assert (await sqlite.list_images(ImageFilter(tag="t"), 9, None)).items == ()


async def test_the_file_is_kept_as_safely_as_sqlite_can(sqlite):
    settings = {name: sqlite._db._writer.pragma(name) for name in ("journal_mode", "synchronous")}
    assert settings == {"journal_mode": "wal", "synchronous": 2}


async def test_the_file_of_a_newer_version_is_refused(tmp_path):
    with sqlite3.connect(tmp_path / "catalog.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreUnavailable, match="newer"):
        SqliteCatalog(tmp_path / "catalog.db")


async def test_the_file_of_the_first_version_is_brought_up_to_date(tmp_path):
    old = apsw.Connection(str(tmp_path / "catalog.db"))
    old.execute(MIGRATIONS[0])
    old.pragma("user_version", 1)
    for id_, state, finished_at in (("done", "succeeded", 100.0), ("open", "queued", None)):
        whole = job(id=id_, state=JobState(state), finished_at=finished_at)
        text = encode(whole, others(Job, ["id", "image", "state", "due_at"]))
        values = (id_, whole.image, state, whole.due_at, text)
        old.execute("INSERT INTO jobs VALUES (?, ?, ?, ?, ?)", values)
    old.close()
    store = SqliteCatalog(tmp_path / "catalog.db")
    done = job(id="done", state=JobState.SUCCEEDED, finished_at=100.0)
    assert await store.get_job("done") == done
    await store.expire_jobs(101.0)
    assert await store.get_job("done") is None
    assert await store.get_job("open") == job(id="open")
    await store.close()


async def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "catalog.db").write_bytes(b"something else" * 1000)
    with pytest.raises(StoreUnavailable):
        SqliteCatalog(tmp_path / "catalog.db")


async def test_a_closed_store_refuses(tmp_path):
    store = SqliteCatalog(tmp_path / "catalog.db")
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.add_image(image(), None)


async def test_the_files_are_private(sqlite, tmp_path):
    await sqlite.add_image(image(), None)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert set(modes) >= {"catalog.db", "catalog.db-wal", "catalog.db-lock"}
    assert set(modes.values()) == {0o600}
