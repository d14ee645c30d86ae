"""What only a file can show: several processes on one queue."""

import asyncio
import time
from collections import Counter

import apsw
import pytest

from filmroll.model import Lane
from filmroll.ports import Depth
from filmroll.queues.sqlite import SqliteQueue
from tests.contract.children import run_children


@pytest.fixture
async def sqlite(tmp_path):
    store = SqliteQueue(tmp_path / "queue.db")
    yield store
    await store.close()


async def test_messages_outlive_the_store(tmp_path):
    first = SqliteQueue(tmp_path / "queue.db")
    await first.send(Lane.BULK, ["a", "b"])
    await first.receive(Lane.BULK, 1, 60, 0)
    await first.close()
    second = SqliteQueue(tmp_path / "queue.db")
    assert await second.depth(Lane.BULK) == Depth(waiting=1, leased=1, dead=0)
    await second.close()


async def test_two_processes_share_the_work(sqlite, tmp_path):
    sent = [str(number) for number in range(300)]
    await sqlite.send(Lane.BULK, sent)
    done = await run_children("work_queue", tmp_path / "queue.db", count=2)
    assert Counter(done) == Counter(sent)
    assert await sqlite.depth(Lane.BULK) == Depth(waiting=0, leased=0, dead=0)
    assert apsw.Connection(str(tmp_path / "queue.db")).pragma("integrity_check") == "ok"


async def test_a_message_of_another_process_is_seen_at_once(sqlite, tmp_path):
    async def receive() -> tuple[str, float]:
        (taken,) = await sqlite.receive(Lane.INTERACTIVE, 1, 60, 20)
        return taken.job, time.monotonic()

    async def send() -> float:
        await run_children("send_late", tmp_path / "queue.db", count=1)
        return time.monotonic()

    (job, received), ended = await asyncio.gather(receive(), send())
    assert job == "late"
    assert received < ended + 0.5
