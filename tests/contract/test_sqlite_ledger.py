"""What only a file can show of ledgers: several processes that write to one at once."""

from filmroll.catalog.sqlite import SqliteCatalog
from filmroll.model import BatchState, JobState
from tests.contract.children import run_children
from tests.contract.ledger import batch, lines_of, summed


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
