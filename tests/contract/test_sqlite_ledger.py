"""What only a file can show of ledgers: several processes that write to one at once."""

import asyncio
from contextlib import suppress

import apsw

from filmroll.catalog.sqlite import SqliteCatalog
from filmroll.model import BatchState, JobState, LineState
from tests.contract.children import run_children
from tests.contract.ledger import batch, lines_of, stored, summed


async def test_processes_that_fill_one_ledger_take_each_line_once(tmp_path):
    catalog = SqliteCatalog(tmp_path / "catalog.db")
    await catalog.add_batch(batch(id="shared"))
    told = await run_children("put_lines", tmp_path / "catalog.db", count=3)
    lines = await lines_of(catalog, "shared")
    assert [one.number for one in lines] == list(range(1, 401))
    assert sorted(one for one in told if "/" not in one) == sorted(one.ref for one in lines)
    assert sorted(one for one in told if "/" in one) == sorted(f"ended/{n}" for n in range(100))
    jobs = [await catalog.get_job(one.image) for one in lines if one.ref.isdigit()]
    assert {one.state for one in jobs if one} == {JobState.SUCCEEDED}
    assert (await catalog.get_batch("shared")).counts == summed(lines)
    sealed = await catalog.close_batch("shared", BatchState.SEALED, 300.0)
    assert sealed.state is BatchState.COMPLETED
    await catalog.close()


async def test_a_long_search_through_a_ledger_leaves_turns_to_others(tmp_path):
    path = tmp_path / "catalog.db"
    catalog = SqliteCatalog(path)
    await catalog.add_batch(batch(id="long"))
    await catalog.put_lines("long", [stored("long", "first")])
    repeat = """
        INSERT INTO lines (batch, number, ref, state, record)
        WITH RECURSIVE n (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM n WHERE n < 60000)
        SELECT batch, n, n, iif(n = 59999, 'processing', state), record FROM lines, n
    """
    writer = apsw.Connection(str(path))
    writer.execute(repeat)
    writer.close()
    turns = 0

    async def take_turns():
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    others = asyncio.create_task(take_turns())
    found = await catalog.list_lines("long", LineState.PROCESSING, 0, 10)
    assert [one.number for one in found] == [59999]
    assert turns > 5
    others.cancel()
    with suppress(asyncio.CancelledError):
        await others
    assert await catalog.list_lines("long", LineState.PROCESSING, 59999, 10) == []
    assert len(await catalog.list_lines("long", LineState.SUCCEEDED, 0, 500)) == 500
    await catalog.close()
