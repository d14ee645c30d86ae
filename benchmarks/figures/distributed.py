"""Filmroll on S3, SQS and DynamoDB, beside bare PUTs to the same store."""

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import obstore
from obstore.store import S3Store

from benchmarks.client import fetch, upload
from benchmarks.figures.overload import never_asked_for
from benchmarks.figures.uploads import Uploads, checked
from benchmarks.photographs import numbered, photographs, small, with_serial
from benchmarks.results import Row
from benchmarks.rounds import Spread, alternate
from benchmarks.servers import filmroll
from deploy.local.aws import ACCESS_KEY, REGION, SECRET_KEY, MiniStack, SeaweedFS
from deploy.local.cluster import Stores, create_stores

TITLE = "On SeaweedFS and MiniStack: durable uploads of 80 KB, cold variants, and bare PUTs"

_CONNECTIONS = 32
_PUTS = 2000
_SHARE = 0.6
_COLD = 60  # photographs in a round
_UPLOADS, _VARIANTS = "Filmroll, uploads of 80 KB", "Filmroll, cold variants of 2,040 px to 512 px"
_BARE = "obstore, bare PUTs of 80 KB"


@dataclass
class _Bare:
    """Nothing but PUTs, by the library that Filmroll uses, as many at once as there are clients."""

    endpoint: str
    template: tuple[bytes, int]
    sent: int = 0

    def measure(self) -> float:
        """Put objects that all differ; return how many a second."""
        return asyncio.run(self._measure())

    async def _measure(self) -> float:
        store = S3Store(
            "filmroll",
            prefix="bare",
            region=REGION,
            endpoint=self.endpoint,
            access_key_id=ACCESS_KEY,
            secret_access_key=SECRET_KEY,
            client_options={"allow_http": True},
        )
        numbers = iter(range(self.sent, self.sent + _PUTS))
        self.sent += _PUTS

        async def work() -> None:
            for number in numbers:
                body = numbered(self.template, number)
                await obstore.put_async(store, f"{number}", body, use_multipart=False)

        loop = asyncio.get_running_loop()
        start = loop.time()
        await asyncio.gather(*(work() for _ in range(_CONNECTIONS)))
        return _PUTS / (loop.time() - start)


def run(folder: Path, rounds: int) -> list[Row]:
    """Measure in turn; everything shares the processors of this machine, the stores included."""
    files = photographs(folder.parent / "photographs")
    template = with_serial(small(files[0], 640), 80_000)
    with ExitStack() as stack:
        seaweedfs = stack.enter_context(SeaweedFS(folder / "seaweedfs"))
        ministack = stack.enter_context(MiniStack(folder / "ministack"))
        variables = Stores(seaweedfs, ministack).variables("benchmark")
        create_stores(variables)
        server = stack.enter_context(filmroll(folder, **variables))
        bare = _Bare(seaweedfs.endpoint, template)
        uploads = Uploads(server, folder / "80", template, {"TARGET": "/v1/images"})
        images = upload(server, files)
        cold = never_asked_for(images)
        reached = alternate(
            {
                _UPLOADS: uploads.measure,
                _VARIANTS: lambda: fetch(server, list(itertools.islice(cold, _COLD)), 8).rate,
                _BARE: bare.measure,
            },
            rounds,
        )
        note = checked(server, [uploads], besides=len(images))
    return list(_rows(reached, note))


def _rows(reached: dict[str, Spread], note: str) -> Iterator[Row]:
    bare = reached[_BARE].median
    for name, spread in reached.items():
        if name == _BARE:
            yield Row.of(name, spread, "/s")
            continue
        share = spread.median / bare
        told = note if name == _UPLOADS else ""
        yield Row.of(name, spread, "/s", note=told)
        yield Row(
            subject=f"{name} : bare PUTs",
            value=round(share, 2),
            unit="×",
            limit=f"≥ {_SHARE}",
            met=share >= _SHARE,
        )
