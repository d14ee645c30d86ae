"""The thread that commits in groups: whose error is whose, what bounds a group, how it ends."""

import asyncio
import sys
import threading

import pytest

from filmroll.errors import StorageFull, StoreUnavailable
from filmroll.groups import MOST_BYTES, MOST_ITEMS, Committer, Gathering


class Disk:
    """Commits for real, in the thread, when it is let."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.gate = threading.Event()
        self.committer: Committer[int, int] = Committer("test", self.run)

    def run(self, items):
        self.gate.wait(10)
        self.groups.append(list(items))
        if -1 in items:
            raise StorageFull("No room.", limit=1)
        return [ValueError(item) if item % 10 == 7 else item * 2 for item in items]

    async def begin(self, *items: int, size: int = 0) -> list[asyncio.Task]:
        """Let callers wait for their items in the group that comes next."""
        tasks = [asyncio.create_task(self.committer.commit(item, size)) for item in items]
        await asyncio.sleep(0.05)
        return tasks


@pytest.fixture
async def disk():
    disk = Disk()
    yield disk
    disk.gate.set()
    await disk.committer.close()


async def test_those_who_wait_share_a_group(disk):
    tasks = await disk.begin(0)
    tasks += await disk.begin(*range(1, 7))
    disk.gate.set()
    assert await asyncio.gather(*tasks) == [0, 2, 4, 6, 8, 10, 12]
    assert disk.groups == [[0], [1, 2, 3, 4, 5, 6]]


async def test_the_error_of_an_item_is_its_callers(disk):
    tasks = await disk.begin(6, 7, 8)
    disk.gate.set()
    first, second, third = await asyncio.gather(*tasks, return_exceptions=True)
    assert (first, third) == (12, 16)
    assert isinstance(second, ValueError)


async def test_the_error_of_a_group_reaches_all_each_its_own(disk):
    tasks = await disk.begin(0)
    tasks += await disk.begin(1, -1, 2)
    disk.gate.set()
    first, *errors = await asyncio.gather(*tasks, return_exceptions=True)
    assert first == 0
    assert [type(error) for error in errors] == [StorageFull] * 3
    assert len({id(error) for error in errors}) == 3
    assert {(error.detail, error.figures["limit"]) for error in errors} == {("No room.", 1)}
    assert await disk.committer.commit(5) == 10


async def test_a_group_has_bounds(disk):
    tasks = await disk.begin(0)
    tasks += await disk.begin(*[1] * (MOST_ITEMS + 5))
    tasks += await disk.begin(*[2] * 5, size=MOST_BYTES // 2)
    disk.gate.set()
    await asyncio.gather(*tasks)
    assert [len(group) for group in disk.groups] == [1, MOST_ITEMS, 5 + 2, 2, 1]


async def test_a_caller_that_is_cancelled_harms_nobody(disk):
    tasks = await disk.begin(0)
    tasks += await disk.begin(1, 2, 3)
    tasks[0].cancel()
    tasks[2].cancel()
    disk.gate.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [outcomes[1], outcomes[3]] == [2, 6]
    assert isinstance(outcomes[2], asyncio.CancelledError)


async def test_closing_finishes_what_waits(disk):
    tasks = await disk.begin(0)
    tasks += await disk.begin(1, 2, 3)
    closing = asyncio.create_task(disk.committer.close())
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable):
        await disk.committer.commit(9)
    disk.gate.set()
    await closing
    assert await asyncio.gather(*tasks) == [0, 2, 4, 6]
    await disk.committer.close()


async def test_a_process_that_forgets_to_close_ends():
    code = "from filmroll.groups import Committer; Committer('forgotten', list)"
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    assert await asyncio.wait_for(child.wait(), 20) == 0


async def test_a_loop_that_is_gone_does_not_end_the_thread(disk):
    await asyncio.to_thread(_commit_and_leave, disk)
    disk.gate.set()
    assert await disk.committer.commit(4) == 8


def _commit_and_leave(disk: Disk) -> None:
    async def leave() -> None:
        asyncio.create_task(disk.committer.commit(3)).cancel()
        task = asyncio.create_task(disk.committer.commit(3))
        await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(leave())


async def gathered(gathering: Gathering, many: int) -> list["asyncio.Task[None]"]:
    """Return so many who wait, after they had time to go on."""
    waiting = [asyncio.create_task(gathering.wait()) for _ in range(many)]
    await asyncio.sleep(0.01)
    return waiting


async def test_enough_go_on_together_at_once_and_the_rest_waits():
    waiting = await gathered(Gathering(3, 60), 7)
    assert [one.done() for one in waiting] == [True] * 6 + [False]
    waiting[6].cancel()


async def test_too_few_go_on_when_their_time_is_up():
    gathering, clock = Gathering(3, 0.2), asyncio.get_running_loop().time
    await asyncio.gather(*await gathered(gathering, 3))
    await asyncio.sleep(0.1)  # half the time of those who have gone, which is nobody's now
    for _ in range(2):
        came = clock()
        async with asyncio.timeout(10):
            await asyncio.gather(*await gathered(gathering, 2))
        assert clock() - came >= 0.19


async def test_who_leaves_a_gathering_takes_nobody_along():
    leaving, staying = await gathered(Gathering(3, 0.2), 2)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    async with asyncio.timeout(10):
        await staying
