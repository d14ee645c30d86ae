"""Archives: every image in one becomes an item of a batch while the archive still streams in."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from filmroll.archives import ArchiveLimits, Member, Refused, Skipped, read_archive
from filmroll.errors import BrokenArchive, FilmrollError, InvalidRequest
from filmroll.ports import Catalog
from filmroll.usecases.batch.ingest import Arrival, Ingest
from filmroll.usecases.batch.lines import Said, Verdict, Word, require_ref
from filmroll.usecases.batch.manifest import Manifest
from filmroll.usecases.batch.texts import read_sidecar
from filmroll.usecases.spool import Body, Held, Spool

_GROUP_ITEMS = 64
_GROUP_BYTES = 4 << 20
_GROUP_SECONDS = 0.5  # a slow stream's items are not held back for longer
_IN_FLIGHT = 2  # groups on their way to the disk while the next one is read
_SIDECAR = ".json"
_SIDECAR_BYTES = 64 << 10


@dataclass(slots=True)
class _Group:
    """Arrivals, and what was answered without one, in the archive's order."""

    members: list[Arrival | Verdict] = field(default_factory=list)
    bytes: int = 0
    began: float = field(default_factory=time.monotonic)

    def add(self, member: Arrival | Verdict) -> None:
        self.members.append(member)
        if isinstance(member, Arrival):
            self.bytes += member.body.bytes

    @property
    def full(self) -> bool:
        return (
            len(self.members) >= _GROUP_ITEMS
            or self.bytes >= _GROUP_BYTES
            or (bool(self.members) and time.monotonic() - self.began > _GROUP_SECONDS)
        )


@dataclass(slots=True)
class _File:
    """A member in hand: an image that may get a sidecar, or a sidecar that waits for its image."""

    ref: str
    body: Body

    @property
    def stem(self) -> str:
        return self.ref.rpartition(".")[0]

    @property
    def sidecar(self) -> bool:
        return self.ref.lower().endswith(_SIDECAR)

    def close(self) -> None:
        """Forget the bytes: nobody needs them any more."""
        if isinstance(self.body, Spool):
            self.body.close()


class Archives:
    """Takes archives in, several into one batch at once if need be."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        ingest: Ingest,
        manifest: Manifest,
        spool: Callable[[], Spool],
        limits: ArchiveLimits,
    ) -> None:
        self._catalog = catalog
        self._ingest = ingest
        self._manifest = manifest
        self._spool = spool
        self._limits = limits

    async def take(
        self, batch: str, stream: AsyncIterator[bytes]
    ) -> AsyncGenerator[Sequence[Verdict]]:
        """Yield the answers to the members, group by group, as they become durable.

        Raises BrokenArchive when the archive cannot be read on, and what ``stream`` raises; what
        came before is kept then, and has been answered.
        """
        flights: deque[asyncio.Task[Sequence[Verdict]]] = deque()
        group = _Group()
        broken: FilmrollError | None = None
        try:
            async with aclosing(self._items(stream)) as items:
                try:
                    async for item in items:
                        group.add(item)
                        if group.full:
                            flights.append(asyncio.create_task(self._land(batch, group.members)))
                            group = _Group()
                        while len(flights) > _IN_FLIGHT or (flights and flights[0].done()):
                            yield await flights.popleft()
                except FilmrollError as fault:
                    broken = fault
            if group.members:
                flights.append(asyncio.create_task(self._land(batch, group.members)))
            while flights:
                yield await flights.popleft()
        finally:
            await asyncio.gather(*flights, return_exceptions=True)
        if broken is not None:
            raise broken

    async def _land(self, batch_id: str, members: Sequence[Arrival | Verdict]) -> Sequence[Verdict]:
        """Keep a group; a fault of a store refuses its items, which may be sent again."""
        arrivals = [one for one in members if isinstance(one, Arrival)]
        try:
            batch = await self._catalog.get_batch(batch_id)
            assert batch is not None, "batches are never forgotten"
            landed = iter(await self._ingest.take(batch, arrivals) if arrivals else ())
        except FilmrollError as fault:
            landed = iter([Verdict.rejected(one.ref, fault) for one in arrivals])
        finally:
            for one in arrivals:
                if isinstance(one.body, Spool):
                    one.body.close()
        return [next(landed) if isinstance(one, Arrival) else one for one in members]

    async def _items(self, stream: AsyncIterator[bytes]) -> AsyncGenerator[Arrival | Verdict]:
        """Yield members; an image and its sidecar, one right after the other, as one item."""
        held: _File | None = None
        broken: FilmrollError | None = None
        try:
            async with aclosing(self._files(stream)) as files:
                async for file in files:
                    if isinstance(file, Verdict):
                        yield file
                    elif held is not None and _belong(held, file):
                        for item in await self._pair(held, file):
                            yield item
                        held = None
                    else:
                        if held is not None:
                            yield await self._alone(held)
                        held = file
        except FilmrollError as fault:
            broken = fault
        if held is not None:  # it came whole, also where the archive breaks off after it
            yield await self._alone(held)
        if broken is not None:
            raise broken

    async def _files(self, stream: AsyncIterator[bytes]) -> AsyncGenerator[_File | Verdict]:
        """Yield members whose bytes are all here, and the answers to those that stay out."""
        async with aclosing(read_archive(stream, self._limits)) as members:
            async for member in members:
                if isinstance(member, Skipped):
                    yield _skipped(member.name, member.reason)
                elif isinstance(member, Refused):
                    yield Verdict.rejected(member.name, member.problem)
                else:
                    yield await self._read(member)

    async def _read(self, member: Member) -> _File | Verdict:
        if member.body is not None:
            return _File(member.name, Held(member.body))
        spool = self._spool()
        try:
            async for chunk in member.chunks():
                await spool.write(chunk)
            await spool.seal()
        except FilmrollError as fault:
            spool.close()
            if isinstance(fault, BrokenArchive):
                raise
            return Verdict.rejected(member.name, fault)
        return _File(member.name, spool)

    async def _alone(self, file: _File) -> Arrival | Verdict:
        if file.sidecar:
            file.close()
            return _skipped(file.ref, "no image of this name is beside it")
        return await self._arrival(file, Said())

    async def _pair(self, one: _File, other: _File) -> Sequence[Arrival | Verdict]:
        image, sidecar = (other, one) if one.sidecar else (one, other)
        try:
            said = await self._said(sidecar)
        except FilmrollError as fault:
            image.close()
            return [Verdict.rejected(image.ref, fault), _skipped(sidecar.ref, "sidecar")]
        finally:
            sidecar.close()
        return [await self._arrival(image, said), _skipped(sidecar.ref, "sidecar")]

    async def _arrival(self, file: _File, said: Said) -> Arrival | Verdict:
        try:
            return Arrival(ref=require_ref(file.ref), body=file.body, said=said)
        except InvalidRequest as fault:
            file.close()
            return Verdict.rejected(file.ref, fault)

    async def _said(self, sidecar: _File) -> Said:
        """Read a sidecar; raise InvalidRequest or MalformedRequest for one that cannot be."""
        if sidecar.body.bytes > _SIDECAR_BYTES:
            raise InvalidRequest(
                f"The sidecar {sidecar.ref} has over {_SIDECAR_BYTES} bytes.",
                limit=_SIDECAR_BYTES,
                actual=sidecar.body.bytes,
            )
        text = read_sidecar(sidecar.body.file().read())
        return Said(
            name=text.name,
            tags=None if text.tags is None else tuple(dict.fromkeys(text.tags)),
            metadata=text.metadata,
            variants=await self._manifest.variants_of(text.variants),
        ).check()


def _belong(one: _File, other: _File) -> bool:
    """Whether one of two neighbours is the sidecar of the other."""
    return one.sidecar != other.sidecar and one.stem == other.stem


def _skipped(name: str, reason: str) -> Verdict:
    return Verdict(ref=name, word=Word.SKIPPED, reason=reason)
