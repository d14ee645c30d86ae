"""A process that writes groups to a store on a disk that fails, and says what came of each write.

``python -m tests.faults.faulty_writer STORE FOLDER SIZE…`` writes one group of each size, one after
the other, prints a line per group, at last one of what can be read.
"""

import asyncio
import hashlib
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from filmroll.blobs.disk import DiskBlobs
from filmroll.catalog.sqlite import SqliteCatalog
from filmroll.errors import FilmrollError
from tests.contract.records import image

Write = Callable[[int], Awaitable[object]]
BODY = b"x" * 1000


def blobs(folder: Path) -> tuple[Write, Write]:
    store = DiskBlobs(folder)
    digest = hashlib.sha256(BODY).hexdigest()
    return (
        lambda number: store.put(f"o/{number % 3}/{number}", BODY, digest),
        lambda number: store.read(f"o/{number % 3}/{number}"),
    )


def catalog(folder: Path) -> tuple[Write, Write]:
    store = SqliteCatalog(folder / "catalog.db")
    return (
        lambda number: store.add_image(image(id=str(number)), None),
        lambda number: store.get_image(str(number)),
    )


async def outcome(write: Awaitable[object]) -> str:
    try:
        await write
    except FilmrollError as exc:
        return type(exc).__name__
    return "kept"


async def main(store: str, folder: Path, sizes: list[int]) -> None:
    write, read = {"blobs": blobs, "catalog": catalog}[store](folder)
    number = 0
    for size in sizes:
        numbers = range(number, number := number + size)
        print(*await asyncio.gather(*(outcome(write(each)) for each in numbers)))
    print(*[each for each in range(number) if await read(each) is not None])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), [int(size) for size in sys.argv[3:]]))
