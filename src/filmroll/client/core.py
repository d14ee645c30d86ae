"""The client: put, get, delete, look at images; open batches; push folders."""

import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, overload

from filmroll.client.batches import AsyncBatch
from filmroll.client.bodies import Source, content, name_of
from filmroll.client.downloads import delivery_path, download
from filmroll.client.large import Large, is_large, said
from filmroll.client.push import Push, PushSummary, Wishes
from filmroll.client.sources import Sources
from filmroll.client.tally import Tally
from filmroll.client.transport import Params, Transport, annotations
from filmroll.client.views import BatchState, BatchView, ImageView, InfoView, OnDuplicate

PATIENCE_SECONDS = 60.0
_PAGE = 200  # the most that a listing holds


class AsyncClient:
    """One service, asked from one event loop; close it, or use it as a context.

    Every method raises ApiError when the service refuses. What may pass (a broken connection, 502,
    503, 504) is tried again for ``patience`` seconds, then raised as Unreachable or ApiError; a
    service that has never answered is not waited for.
    """

    def __init__(
        self, url: str, key: str | None = None, *, patience: float = PATIENCE_SECONDS
    ) -> None:
        """``url`` is where the service listens; ValueError if it is no such address."""
        self._transport = Transport(url, key, patience)

    async def put(
        self,
        source: Source,
        *,
        name: str | None = None,
        tags: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        variants: Sequence[str] = (),
        later: bool = False,
    ) -> ImageView:
        """Upload an image: a path, bytes, or an open file.

        The service waits for its variants, half a minute at most and with ``later`` not at all.
        Those that are still ``pending`` then follow by themselves: ask ``image`` for them.
        A large file, named by its path, goes in parts, and its variants always follow.
        """
        if is_large(source):
            wishes = said(name or name_of(source), tags, variants, metadata)
            large = Large(self._transport)
            upload = await large.send(Path(source), wishes, uuid.uuid4().hex)
            return await self.image(str(upload["image"]))
        body, size = content(source)
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(size),
            "Idempotency-Key": uuid.uuid4().hex,
        }
        if later:
            headers["Prefer"] = "respond-async"
        params = annotations(name or name_of(source), tags, variants, metadata)
        return await self._transport.json(  # type: ignore[no-any-return]  # the API's promise
            "POST", "/v1/images", body=body, params=params, headers=headers
        )

    async def image(self, image: str) -> ImageView:
        """Look at an image and its variants."""
        return await self._transport.json("GET", f"/v1/images/{image}")  # type: ignore[no-any-return]  # as above

    async def info(self, image: str, exif: Sequence[str] = ()) -> InfoView:
        """Return what is told of a picture: its colours, previews, a hash of its looks.

        ``exif`` names tags; ``all`` stands for all but place and owner, ``gps`` for the place.
        """
        params: Params = [("exif", ",".join(exif))] if exif else []
        return await self._transport.json(  # type: ignore[no-any-return]  # as above
            "GET", f"/v1/images/{image}/info", params=params
        )

    async def images(
        self,
        *,
        tag: str | None = None,
        batch: str | None = None,
        sha256: str | None = None,
        similar: str | None = None,
        distance: int | None = None,
        limit: int | None = None,
    ) -> AsyncGenerator[ImageView, None]:
        """Yield images that meet all conditions, newest first, ``limit`` at most.

        ``similar`` is an image's id, or a perceptual hash; ``distance`` how many bits may differ.
        """
        params: Params = [
            ("tag", tag),
            ("batch", batch),
            ("sha256", sha256),
            ("similar", similar),
            ("distance", distance),
        ]
        async for view in self._listing("/v1/images", params, limit):
            yield view

    async def delete(self, image: str) -> None:
        """Delete an image with all its variants; twice is harmless."""
        await self._transport.call("DELETE", f"/v1/images/{image}")

    @overload
    async def get(self, image: str, instructions: str | None = None, to: None = None) -> bytes: ...
    @overload
    async def get(self, image: str, instructions: str | None = None, *, to: Path) -> Path: ...
    async def get(
        self, image: str, instructions: str | None = None, to: Path | None = None
    ) -> bytes | Path:
        """Download an original or a variant, of an image's id or of a URL of this service.

        Returns its bytes or, with ``to``, the file that it was written to; in a folder it gets a
        name that nobody has. A file appears under its name only when it is whole.
        """
        path = delivery_path(self._transport.url, image, instructions)
        if to is None:
            return (await self._transport.call("GET", path)).content
        return await self._transport.patiently(lambda: download(self._transport, path, to))

    async def create_batch(
        self,
        *,
        name: str | None = None,
        variants: Sequence[str] = (),
        on_duplicate: OnDuplicate = "new",
        expected_count: int | None = None,
        webhook: str | None = None,
        expires_in: int | None = None,
    ) -> AsyncBatch:
        """Begin a batch; ``variants`` are made of every item, ``expires_in`` is in seconds."""
        wishes: dict[str, Any] = {
            "name": name,
            "variants": list(variants),
            "on_duplicate": on_duplicate,
            "expected_count": expected_count,
            "webhook": webhook,
            "expires_in": expires_in,
        }
        view = await self._transport.json(
            "POST",
            "/v1/batches",
            value={key: value for key, value in wishes.items() if value is not None},
            headers={"Idempotency-Key": uuid.uuid4().hex},
        )
        return AsyncBatch(self._transport, view)

    async def batch(self, batch: str) -> AsyncBatch:
        """Take up a batch by its id."""
        return AsyncBatch(
            self._transport, await self._transport.json("GET", f"/v1/batches/{batch}")
        )

    async def find_batch(self, name: str) -> AsyncBatch | None:
        """Return the newest batch of a name."""
        async for view in self.batches(name=name, limit=1):
            return AsyncBatch(self._transport, view)
        return None

    async def batches(
        self, *, name: str | None = None, state: BatchState | None = None, limit: int | None = None
    ) -> AsyncGenerator[BatchView, None]:
        """Yield batches, newest first, ``limit`` at most."""
        params: Params = [("name", name), ("state", state)]
        async for view in self._listing("/v1/batches", params, limit):
            yield view

    async def push(
        self,
        paths: Sequence[Path],
        *,
        name: str | None = None,
        variants: Sequence[str] = (),
        tags: Sequence[str] = (),
        on_duplicate: OnDuplicate = "reuse",
        streams: int = 4,
        seal: bool = True,
        wait: bool = True,
        tally: Tally | None = None,
    ) -> PushSummary:
        """Bring folders, files and manifests (NDJSON) into a batch; the same again does the rest.

        ``streams`` is how many connections send at once; ``wait``: for the variants, too. A
        ``tally`` shows how far it is, and tells of failures.
        Raises ValueError for paths that cannot be pushed together.
        """
        wishes = Wishes(
            name=name,
            variants=variants,
            tags=tags,
            on_duplicate=on_duplicate,
            streams=streams,
            seal=seal,
            wait=wait,
        )
        sources = Sources(paths, tags)
        return await Push(self, self._transport, sources, wishes, tally or Tally()).run()

    async def _listing(
        self, path: str, params: Params, limit: int | None
    ) -> AsyncGenerator[Any, None]:
        wishes = [(key, value) for key, value in params if value is not None]
        cursor, left = None, limit
        while left is None or left > 0:
            size = _PAGE if left is None else min(left, _PAGE)
            place: Params = [("cursor", cursor)] if cursor else []
            page = await self._transport.json(
                "GET", path, params=[*wishes, ("limit", size), *place]
            )
            for view in page["items"]:
                yield view
            cursor = page["next_cursor"]
            if cursor is None:
                return
            left = None if left is None else left - len(page["items"])

    async def close(self) -> None:
        """Let go of the connections."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
