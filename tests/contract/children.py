"""Real processes that write to a store at the same time as others.

``python -m tests.contract.children TASK PLACE`` does a task and prints, line by line, what was
acknowledged to it.
"""

import asyncio
import hashlib
import os
import sys
from pathlib import Path

from filmroll.blobs.disk import DiskBlobs
from filmroll.catalog.sqlite import SqliteCatalog
from filmroll.catalog.tombstones import Tombstones
from filmroll.model import Lane, new_id
from filmroll.queues.sqlite import SqliteQueue
from tests.contract.ledger import end_job, processing, stored
from tests.contract.records import image, job


async def run_children(task: str, place: Path, count: int) -> list[str]:
    """Run so many processes at once; return the lines of all of them."""
    children = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            __name__,
            task,
            str(place),
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        for _ in range(count)
    ]
    outputs = await asyncio.gather(*(child.communicate() for child in children))
    assert [child.returncode for child in children] == [0] * count
    return [line for output, _ in outputs for line in output.decode().split()]


async def put_blobs(place: Path) -> None:
    blobs = DiskBlobs(place)

    async def put() -> None:
        body = os.urandom(3000)
        digest = hashlib.sha256(body).hexdigest()
        await blobs.put(f"o/{digest[:2]}/{digest}", body, digest)
        print(f"o/{digest[:2]}/{digest}", flush=True)

    for _ in range(10):
        await asyncio.gather(*(put() for _ in range(10)))
    await blobs.close()


async def add_images(place: Path) -> None:
    """Add images with jobs, then try to claim each of the jobs that are shared by all."""
    catalog = SqliteCatalog(place)

    async def add() -> None:
        record = await catalog.add_image(image(id=(id_ := new_id())), job(id=id_, image=id_))
        print(record.id, flush=True)

    for _ in range(10):
        await asyncio.gather(*(add() for _ in range(20)))
    claims = (catalog.claim_job(f"shared{number}", 100.0, 1e12) for number in range(50))
    for claimed in filter(None, await asyncio.gather(*claims)):
        print(claimed.id, flush=True)
    await catalog.close()


async def put_lines(place: Path) -> None:
    """Offer lines that others offer, too, end their jobs; print what was taken and ended."""
    catalog = SqliteCatalog(place)
    own = new_id()

    async def put(ref: str) -> None:
        entry = processing("shared", ref, content=own)
        for standing in await catalog.put_lines("shared", [entry, stored("shared", own + ref)]):
            if standing.taken:
                print(standing.line.ref, flush=True)
        line = (await catalog.get_lines("shared", [ref]))[ref]
        if await end_job(catalog, line.image):
            print(f"ended/{ref}", flush=True)

    for start in range(0, 100, 20):
        await asyncio.gather(*(put(str(number)) for number in range(start, start + 20)))
    await catalog.close()


async def work_queue(place: Path) -> None:
    """Take and remove messages until there are none."""
    queue = SqliteQueue(place)
    while taken := await queue.receive(Lane.BULK, 7, 60, 0.5):
        await queue.ack(taken)
        for delivery in taken:
            print(delivery.job, flush=True)
    await queue.close()


async def send_late(place: Path) -> None:
    queue = SqliteQueue(place)
    await asyncio.sleep(0.3)
    await queue.send(Lane.INTERACTIVE, ["late"])
    await queue.close()


async def bump_tombstones(place: Path) -> None:
    tombstones = Tombstones(place)
    for _ in range(5000):
        tombstones.bump("image")
    tombstones.close()


TASKS = {
    task.__name__: task
    for task in (put_blobs, add_images, put_lines, work_queue, send_late, bump_tombstones)
}

if __name__ == "__main__":
    asyncio.run(TASKS[sys.argv[1]](Path(sys.argv[2])))
