"""The use cases on stores in memory and on an engine whose answers a test writes down."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from filmroll.blobs.memory import MemoryBlobs
from filmroll.catalog.memory import MemoryCatalog
from filmroll.instructions import Instructions, parse
from filmroll.model import (
    Header,
    Image,
    ImageState,
    Info,
    Job,
    JobKind,
    Lane,
    Problem,
    Variant,
    new_id,
    now,
    original_key,
)
from filmroll.ports import Picture
from filmroll.usecases.admission import Admission
from filmroll.usecases.engines import Engines
from filmroll.usecases.errands import Errand
from filmroll.usecases.liveness import Liveness
from filmroll.usecases.process import Processing
from filmroll.usecases.webhooks.announcing import Announcer
from tests.contract.records import info

WANTED = parse("resize:width=100/output:format=webp")
HEADER = Header(format="jpeg", width=640, height=480)

Answer = Exception | Problem | Callable[[Instructions], Picture]


def picture(instructions: Instructions) -> Picture:
    """Return what the engine makes when nothing is in its way."""
    data = instructions.canonical().encode()
    return Picture(data=data, format="webp", width=100, height=75, frames=1)


class ScriptedEngine:
    """Gives the answers of its script, one for each call, then pictures."""

    def __init__(self) -> None:
        self.script: list[Answer] = []
        self.calls = 0
        self.open = asyncio.Event()  # calls wait until it is set
        self.open.set()

    async def make(
        self,
        source: BinaryIO,  # noqa: ARG002 -- a script looks at no picture
        wanted: Sequence[Instructions],
        overlays: Mapping[str, BinaryIO],  # noqa: ARG002 -- as above
    ) -> Sequence[Picture | Problem]:
        self.calls += 1
        await self.open.wait()
        answer = self.script.pop(0) if self.script else picture
        if isinstance(answer, Exception):
            raise answer
        return [answer if isinstance(answer, Problem) else answer(one) for one in wanted]

    async def describe(self, source: BinaryIO) -> Info:  # noqa: ARG002 -- as above
        self.calls += 1
        await self.open.wait()
        answer = self.script.pop(0) if self.script else None
        if isinstance(answer, Exception):
            raise answer
        return info()

    async def check(self) -> Mapping[str, str]:
        self.calls += 1
        await self.open.wait()
        return {}

    async def close(self) -> None:
        pass


@dataclass
class House:
    """A processing role in this process."""

    blobs: MemoryBlobs = field(default_factory=MemoryBlobs)
    catalog: MemoryCatalog = field(default_factory=MemoryCatalog)
    engine: ScriptedEngine = field(default_factory=ScriptedEngine)
    errands: dict[JobKind, Errand] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.liveness = Liveness(self.engine)
        self.admission = Admission(dict.fromkeys(Lane, 2), 4, 1 << 30, lambda _file, _size: HEADER)
        self.processing = Processing(
            blobs=self.blobs,
            catalog=self.catalog,
            engines=Engines(
                engines=dict.fromkeys(Lane, self.engine),
                admission=self.admission,
                liveness=self.liveness,
            ),
            errands=self.errands,
            announcer=Announcer(self.catalog),
        )

    async def upload(self) -> tuple[Image, Job]:
        """Keep an image with the job for its one declared variant; both have one id."""
        image_id, body, at = new_id(), b"bytes of an image", now()
        declared = (WANTED.canonical(),)
        image = Image(
            id=image_id,
            state=ImageState.STORED,
            sha256=hashlib.sha256(body).hexdigest(),
            bytes=len(body),
            format="jpeg",
            width=640,
            height=480,
            frames=1,
            created_at=at,
            declared=declared,
        )
        job = Job(id=image_id, image=image_id, instructions=declared, created_at=at, due_at=at + 60)
        await self.blobs.put(original_key(image_id), body, image.sha256)
        await self.catalog.add_image(image, job)
        return image, job

    async def variant(self, image: Image) -> Variant | None:
        """Return what the catalog knows of the declared variant."""
        return await self.catalog.get_variant(image.id, WANTED.recipe())
