"""Parts that clients send to the blob store themselves, where it can take them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from filmroll.errors import DirectNotSupported, InvalidRequest
from filmroll.model import Transfer, Upload, UploadPart, direct_key, now
from filmroll.ports import BlobStore, Catalog, DirectObject, DirectPut, DirectUploads
from filmroll.usecases.uploads.parts import Listed
from filmroll.usecases.uploads.sessions import Sessions, require_taking
from filmroll.usecases.uploads.sizes import part_sizes, require_number

URL_SECONDS = 3600  # that a URL is good for
MOST_URLS = 100  # in one answer
_AT_ONCE = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """How a part gets there: by a request, or it is there."""

    number: int
    put: DirectPut | None = None
    there: DirectObject | None = None


class Direct:
    """Hands out URLs, and takes what came by them for parts.

    Each part has one place, which its URL fills once: so one that is used again, or late, changes
    nothing. What nobody completes is removed as an orphan.
    """

    def __init__(self, blobs: BlobStore, catalog: Catalog, sessions: Sessions) -> None:
        self._store = blobs if isinstance(blobs, DirectUploads) else None
        self._catalog = catalog
        self._sessions = sessions

    async def ways(self, upload_id: str, numbers: Sequence[int]) -> Sequence[Way]:
        """Return how to send parts; raise DirectNotSupported where the store takes none.

        The upload stays open for as long from now as after a part. Raises InvalidRequest if its
        size was not announced: that of each part is pinned.
        """
        upload = await self._sessions.get(upload_id, Transfer.PARTS)
        require_taking(upload)
        for number in numbers:
            require_number(number)
        store = self._store
        if store is None:
            raise DirectNotSupported(
                "This store has no URLs to give; PUT the parts to the service."
            )
        sizes = _sizes(upload, numbers)
        await self._prolong(upload)

        async def way(number: int) -> Way:
            key = direct_key(upload.id, number)
            there = await store.direct_object(key)
            if there is not None:
                return Way(number=number, there=there)
            return Way(number=number, put=await store.direct_put(key, sizes[number], URL_SECONDS))

        return await asyncio.gather(*(way(number) for number in dict.fromkeys(numbers)))

    async def adopt(self, upload: Upload, listed: Sequence[Listed]) -> bool:
        """Take those of the listed parts into the upload that came directly; whether any did.

        Whether a part is what was announced shows in its size; the whole is hashed and looked at
        when something is made of it.
        """
        store = self._store
        if store is None or not upload.bytes or not upload.part_bytes:
            return False
        sizes = part_sizes(upload.bytes, upload.part_bytes)

        async def take(one: Listed) -> bool:
            key = direct_key(upload.id, one.number)
            found = await store.direct_object(key)
            if found is None or (found.bytes, found.etag) != (sizes.get(one.number), one.etag):
                return False
            part = UploadPart(
                upload=upload.id,
                number=one.number,
                bytes=found.bytes,
                sha256="",
                key=key,
                at=now(),
                stored_etag=found.etag,
            )
            return (await self._catalog.put_part(part)).taken

        taken = [
            await asyncio.gather(*map(take, listed[start : start + _AT_ONCE]))
            for start in range(0, len(listed), _AT_ONCE)
        ]
        return any(one for some in taken for one in some)

    async def _prolong(self, upload: Upload) -> None:
        longer = replace(upload, expires_at=now() + upload.lifetime, version=upload.version + 1)
        await self._catalog.update_upload(longer)  # if a part came meanwhile, that has done it


def _sizes(upload: Upload, numbers: Sequence[int]) -> dict[int, int]:
    """Return how large each part is; raise InvalidRequest for those that cannot be."""
    if not upload.bytes or not upload.part_bytes:
        raise InvalidRequest(
            "Announce the bytes of the whole when you begin the upload: a URL is good for a part "
            "of one size.",
            pointer="/bytes",
        )
    if not 1 <= len(numbers) <= MOST_URLS:
        raise InvalidRequest(
            f"Ask for the URLs of 1 to {MOST_URLS} parts at a time.",
            pointer="/parts",
            limit=MOST_URLS,
            actual=len(numbers),
        )
    sizes = part_sizes(upload.bytes, upload.part_bytes)
    for order, number in enumerate(numbers):
        if number not in sizes:
            raise InvalidRequest(
                f"The upload has the parts 1 to {len(sizes)}.",
                pointer=f"/parts/{order}",
                limit=len(sizes),
                actual=number,
            )
    return sizes
