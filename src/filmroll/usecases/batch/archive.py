"""Archives: every image in one becomes an item of a batch while the archive still streams in."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing

from filmroll.archives import ArchiveLimits, Member, Refused, Skipped, read_archive
from filmroll.errors import BrokenArchive, FilmrollError, InvalidRequest
from filmroll.ports import Catalog
from filmroll.usecases.batch.ingest import Arrival, Ingest
from filmroll.usecases.batch.lines import Said, Verdict, Word, known, require_ref
from filmroll.usecases.batch.manifest import Manifest
from filmroll.usecases.batch.pairing import GROUP_SECONDS, File, Item, Pairing, close
from filmroll.usecases.batch.texts import read_sidecar
from filmroll.usecases.spool import Held, Spool

_IN_FLIGHT = 2  # groups on their way to the disk while the next one is read
_SIDECAR_BYTES = 64 << 10


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
        broken: FilmrollError | None = None
        try:
            async with aclosing(self._groups(stream)) as groups:
                try:
                    async for group in groups:
                        if group:
                            flights.append(asyncio.create_task(self._land(batch, group)))
                        while len(flights) > _IN_FLIGHT or (flights and flights[0].done()):
                            yield await flights.popleft()
                except FilmrollError as fault:
                    broken = fault
            while flights:
                yield await flights.popleft()
        finally:
            await asyncio.gather(*flights, return_exceptions=True)
        if broken is not None:
            raise broken

    async def _land(self, batch_id: str, group: Sequence[Item]) -> Sequence[Verdict]:
        """Keep a group; a fault of a store refuses its items, which may be sent again."""
        try:
            members = [one for item in group for one in await self._arrivals(item)]
            arrivals = [one for one in members if isinstance(one, Arrival)]
            landed = iter(await self._keep(batch_id, arrivals))
        finally:
            close(group)
        return [next(landed) if isinstance(one, Arrival) else one for one in members]

    async def _keep(self, batch_id: str, arrivals: Sequence[Arrival]) -> Sequence[Verdict]:
        try:
            batch = known(await self._catalog.get_batch(batch_id))
            return await self._ingest.take(batch, arrivals) if arrivals else ()
        except FilmrollError as fault:
            return [Verdict.rejected(one.ref, fault) for one in arrivals]

    async def _groups(self, stream: AsyncIterator[bytes]) -> AsyncGenerator[Sequence[Item]]:
        """Yield what came whenever it is enough, or nothing more comes for a while."""
        pairing = Pairing()
        async with aclosing(self._files(stream)) as files:
            reading = asyncio.create_task(_read_on(files, pairing))
            try:
                while True:
                    full, _ = await asyncio.wait({reading}, timeout=GROUP_SECONDS)
                    if full and not reading.result():
                        break
                    yield pairing.take()
                    if full:
                        reading = asyncio.create_task(_read_on(files, pairing))
                yield pairing.rest()
            except FilmrollError:  # what came whole is kept, also where the archive breaks off
                yield pairing.rest()
                raise
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
                close(pairing.rest())

    async def _files(self, stream: AsyncIterator[bytes]) -> AsyncGenerator[File | Verdict]:
        """Yield members whose bytes are all here, and the answers to those that stay out."""
        async with aclosing(read_archive(stream, self._limits)) as members:
            async for member in members:
                if isinstance(member, Skipped):
                    yield _skipped(member.name, member.reason)
                elif isinstance(member, Refused):
                    yield Verdict.rejected(member.name, member.problem)
                else:
                    yield await self._read(member)

    async def _read(self, member: Member) -> File | Verdict:
        if member.body is not None:
            return File(member.name, Held(member.body))
        spool = self._spool()
        try:
            async for chunk in member.chunks():
                await spool.write(chunk)
            await spool.seal()
        except BaseException as fault:
            spool.close()
            if isinstance(fault, BrokenArchive) or not isinstance(fault, FilmrollError):
                raise
            return Verdict.rejected(member.name, fault)
        return File(member.name, spool)

    async def _arrivals(self, item: Item) -> Sequence[Arrival | Verdict]:
        """Return what becomes of the files that belong together."""
        if isinstance(item, Verdict):
            return [item]
        image, sidecar = item.image, item.sidecar
        if image is None:
            return [_skipped(one.ref, "no image of this name is beside it") for one in item.files]
        told = [_skipped(sidecar.ref, "sidecar")] if sidecar else []
        try:
            said = await self._said(sidecar) if sidecar else Said()
            return [Arrival(ref=require_ref(image.ref), body=image.body, said=said), *told]
        except FilmrollError as fault:
            return [Verdict.rejected(image.ref, fault), *told]

    async def _said(self, sidecar: File) -> Said:
        """Read a sidecar; raise InvalidRequest or MalformedRequest for one that cannot be."""
        if sidecar.body.bytes > _SIDECAR_BYTES:
            raise InvalidRequest(
                f"The sidecar {sidecar.ref} has over {_SIDECAR_BYTES} bytes.",
                limit=_SIDECAR_BYTES,
                actual=sidecar.body.bytes,
            )
        text = read_sidecar(sidecar.body.file().read())
        return await self._manifest.said(text.name, text.tags, text.metadata, text.variants)


async def _read_on(files: AsyncGenerator[File | Verdict], pairing: Pairing) -> bool:
    """Read until there is a group; False if there was no more to read."""
    async for file in files:
        pairing.add(file)
        if pairing.full:
            return True
    return False


def _skipped(name: str, reason: str) -> Verdict:
    return Verdict(ref=name, word=Word.SKIPPED, reason=reason)
