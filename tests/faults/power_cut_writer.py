"""A process that writes to the stores and says on stdout, line by line, what was acknowledged.

``python -m tests.faults.power_cut_writer FOLDER [SABOTAGE]``; the sabotage leaves out a sync that
the store needs, to show that the test would see it.
"""

import asyncio
import hashlib
import os
import sys
from pathlib import Path

from filmroll.blobs.disk import DiskBlobs
from filmroll.catalog.sqlite import SqliteCatalog
from filmroll.model import Lane, original_key
from filmroll.queues.sqlite import SqliteQueue
from tests.contract.records import image, job

SABOTAGES = {"no-folder-sync": "_sync_folders", "no-file-sync": "_sync_files"}


class Writer:
    """All stores of a data folder, and what is done with them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.blobs = DiskBlobs(folder / "blobs")
        self.catalog = SqliteCatalog(folder / "catalog.db")
        self.queue = SqliteQueue(folder / "queue.db")

    async def upload(self, *, as_path: bool = False) -> str:
        """Do what an upload does: bytes, record with job, message."""
        body = os.urandom(3000)
        record = image(sha256=hashlib.sha256(body).hexdigest())
        if as_path:
            source = self.folder / record.id
            source.write_bytes(body)
            await self.blobs.put(original_key(record.id), source, record.sha256)
        else:
            await self.blobs.put(original_key(record.id), body, record.sha256)
        say("blob", original_key(record.id), record.sha256)
        await self.catalog.add_image(record, job(id=record.id, image=record.id))
        say("image", record.id)
        await self.queue.send(Lane.BULK, [record.id])
        say("message", record.id)
        return record.id

    async def delete(self, id_: str) -> None:
        await self.catalog.bury_image(id_, 0)
        say("buried", id_)
        await self.blobs.delete([original_key(id_)])
        say("deleted", original_key(id_))

    async def run(self) -> None:
        """Write alone and in company, small and large, and delete some of it."""
        await self.upload()
        for _ in range(4):
            ids = await asyncio.gather(*(self.upload() for _ in range(12)))
            await self.upload(as_path=True)
            await self.delete(ids[0])
            await asyncio.gather(*(self.delete(id_) for id_ in ids[1:4]), self.upload(as_path=True))
        for store in (self.blobs, self.catalog, self.queue):
            await store.close()


def say(*words: str) -> None:
    os.write(1, (" ".join(words) + "\n").encode())


if __name__ == "__main__":
    for sabotage in sys.argv[2:]:
        setattr(DiskBlobs, SABOTAGES[sabotage], lambda *_: None)
    asyncio.run(Writer(Path(sys.argv[1])).run())
