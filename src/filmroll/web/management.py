"""Everything under ``/v1`` but the upload itself: images, variants, jobs, presets, limits."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field

from filmroll.errors import InvalidRequest
from filmroll.faces import installed
from filmroll.instructions import MAX_GROWN_PIXELS, MAX_OPERATIONS, MAX_SIDE, Instructions
from filmroll.model import MAX_DISTANCE, Image, Scope, Variant, VariantState
from filmroll.ports import ImageFilter, Similar
from filmroll.usecases.avif import AVIF_PIXELS, useful
from filmroll.usecases.images import (
    MAX_METADATA_BYTES,
    MAX_NAME,
    MAX_PAGE,
    MAX_TAG,
    MAX_TAGS,
    header_of,
)
from filmroll.usecases.infos import DEFAULT_DISTANCE, Infos
from filmroll.usecases.resolve import MAX_VARIANTS, Resolver, Spelling
from filmroll.usecases.uploads.sessions import DEFAULT_SECONDS, LONGEST_SECONDS
from filmroll.usecases.uploads.sizes import (
    MAX_IMAGE_BYTES,
    MAX_PART_BYTES,
    MAX_PARTS,
    MIN_PART_BYTES,
)
from filmroll.web.access import Gate
from filmroll.web.fields import Fields, ImageConditions, StrictRoute, require_id
from filmroll.web.form import MAX_FILES
from filmroll.web.idempotent import Ids, once
from filmroll.web.incoming import LARGEST_JSON_BYTES
from filmroll.web.requests import DEFAULT_WAIT_SECONDS, if_match, preference
from filmroll.web.services import Services
from filmroll.web.views import image_view, job_view, json_response, preset_view


class ImagePatch(Fields):
    """What may be changed of an image."""

    name: str | None = None
    tags: list[str] | None = None
    metadata: dict[str, Any] | None = None


class ImageQuery(ImageConditions):
    """Which images to list."""

    similar: Annotated[str, Field(pattern="^([0-9a-f]{16}|[0-9a-z]{26})$")] | None = None
    distance: Annotated[int, Field(ge=0, le=MAX_DISTANCE)] | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 100
    cursor: str | None = None

    def filter(self, similar: Similar | None) -> ImageFilter:
        """Return the conditions; ``similar`` is what those of that name came to."""
        after = self.created_after.timestamp() if self.created_after else None
        return ImageFilter(
            tag=self.tag,
            batch=self.batch,
            sha256=self.sha256,
            created_after=after,
            similar=similar,
        )


class VariantsBody(Fields):
    """Variants to make of a kept image."""

    variants: Annotated[list[Spelling], Field(min_length=1)]


class PresetBody(Fields):
    """A preset's instructions."""

    instructions: Spelling


def management(services: Services, gate: Gate) -> APIRouter:
    """Return the routes."""
    router = APIRouter(
        prefix="/v1", route_class=StrictRoute, dependencies=[Depends(_no_unknown_query)]
    )
    _add_images(router, services, gate)
    _add_variants(router, services, gate)
    _add_jobs(router, services, gate)
    _add_presets(router, services, gate)
    _add_limits(router, services)
    return router


def _no_unknown_query(request: Request) -> None:
    """Refuse query fields; the listing, which has some, refuses those it does not know itself."""
    names = list(request.query_params)
    if names and (request.method, request.url.path) != ("GET", "/v1/images"):
        raise InvalidRequest("This address takes no query.", pointer=f"/{names[0][:40]}")


def _add_images(router: APIRouter, services: Services, gate: Gate) -> None:
    images = services.images

    async def shown(request: Request, image: Image, status: int = 200) -> Response:
        variants = await images.variants(image.id)
        body = image_view(image, variants, await gate.links(request))
        return json_response(body, status, {"ETag": f'"{image.version}"'})

    @router.get("/images", summary="List images, newest first")
    async def list_images(request: Request, where: Annotated[ImageQuery, Query()]) -> Response:
        await gate.require(request, Scope.READ)
        similar = await _similar(services.infos, where)
        page = await images.list(where.filter(similar), where.limit, where.cursor)
        links = await gate.links(request)
        items = []
        for image in page.items:
            items.append(image_view(image, await images.variants(image.id), links))
            await asyncio.sleep(0)  # a long page is nobody's reason to wait
        return json_response({"items": items, "next_cursor": page.next_cursor})

    @router.get("/images/{image}", summary="Look at an image")
    async def get_image(request: Request, image: str) -> Response:
        await gate.require(request, Scope.READ)
        return await shown(request, await images.get(require_id(image)))

    @router.patch("/images/{image}", summary="Change name, tags or metadata")
    async def patch_image(request: Request, image: str, body: ImagePatch) -> Response:
        await gate.require(request, Scope.UPLOAD)
        changes = body.model_dump(exclude_unset=True)
        if body.tags is not None:
            changes["tags"] = tuple(dict.fromkeys(body.tags))
        changed = await images.annotate(require_id(image), changes, if_match(request))
        return await shown(request, changed)

    @router.delete(
        "/images/{image}", status_code=204, summary="Delete an image and all its variants"
    )
    async def delete_image(request: Request, image: str) -> Response:
        await gate.require(request, Scope.UPLOAD)
        await images.delete(require_id(image))
        return Response(status_code=204)


async def _similar(infos: Infos, where: ImageQuery) -> Similar | None:
    if where.similar is not None:
        bits = DEFAULT_DISTANCE if where.distance is None else where.distance
        return await infos.similar(where.similar, bits)
    if where.distance is not None:
        raise InvalidRequest("A distance to what? Say it with similar.", pointer="/distance")
    return None


def _add_variants(router: APIRouter, services: Services, gate: Gate) -> None:
    resolver = Resolver(services.catalog)

    @router.post(
        "/images/{image}/variants", status_code=201, summary="Make variants of a kept image"
    )
    async def make_variants(request: Request, image: str, body: VariantsBody) -> Response:
        key = await gate.require(request, Scope.UPLOAD)
        found = await services.images.get(require_id(image))
        asked = await resolver.resolve_all(body.variants)
        services.images.require_possible(found, asked)
        wanted = useful(asked, header_of(found))

        async def work(ids: Ids | None) -> Response:
            wish = preference(request)
            job = await services.jobs.add(found, wanted, ids(0) if ids else None)
            done = await services.jobs.run(job.id, wish.wait) if wish.wait > 0 else None
            if done is None and wish.wait == 0:
                services.outbox.enqueue(job.id)
            await services.images.get(found.id)  # or it was deleted meanwhile
            made = await services.images.variants(found.id)
            if done is not None and done.problem and not _ready(made, wanted):
                raise done.problem.error()
            pending = done is None
            location = f"/v1/jobs/{job.id}" if pending else f"/v1/images/{found.id}"
            headers = {"Location": location}
            if wish.applied:
                headers["Preference-Applied"] = wish.applied
            texts = [one.canonical() for one in wanted]
            view = image_view(found, made, await gate.links(request), texts)
            return json_response(view, 202 if pending else 201, headers)

        payload = tuple(one.canonical() for one in wanted)
        caller = key.id if key else ""
        return await once(request, services.idempotency, caller, payload, work)


def _ready(made: Sequence[Variant], wanted: Sequence[Instructions]) -> bool:
    """Whether at least one of the wanted variants is there."""
    recipes = {one.recipe() for one in wanted}
    return any(one.recipe in recipes and one.state is VariantState.READY for one in made)


def _add_jobs(router: APIRouter, services: Services, gate: Gate) -> None:
    @router.get("/jobs/{job}", summary="Look at a job")
    async def get_job(request: Request, job: str) -> Response:
        await gate.require(request, Scope.READ)
        return json_response(job_view(await services.jobs.get(require_id(job))))

    @router.delete("/jobs/{job}", summary="Cancel a job that has not ended")
    async def cancel_job(request: Request, job: str) -> Response:
        await gate.require(request, Scope.UPLOAD)
        return json_response(job_view(await services.jobs.cancel(require_id(job))))


def _add_presets(router: APIRouter, services: Services, gate: Gate) -> None:
    presets = services.presets

    @router.get("/presets", summary="List presets")
    async def list_presets(request: Request) -> Response:
        await gate.require(request, Scope.READ)
        return json_response({"items": [preset_view(one) for one in await presets.list()]})

    @router.get("/presets/{name}", summary="Look at a preset")
    async def get_preset(request: Request, name: str) -> Response:
        await gate.require(request, Scope.READ)
        return json_response(preset_view(await presets.get(name)))

    @router.put("/presets/{name}", summary="Keep instructions under a name")
    async def put_preset(request: Request, name: str, body: PresetBody) -> Response:
        await gate.require(request, Scope.ADMIN)
        return json_response(preset_view(await presets.put(name, body.instructions)))

    @router.delete("/presets/{name}", status_code=204, summary="Remove a preset")
    async def delete_preset(request: Request, name: str) -> Response:
        await gate.require(request, Scope.ADMIN)
        await presets.delete(name)
        return Response(status_code=204)


def _add_limits(router: APIRouter, services: Services) -> None:
    settings = services.settings

    @router.get("/limits", summary="Every limit")
    async def limits() -> Response:
        return json_response(
            {
                "upload_bytes": settings.max_upload_bytes,
                "json_bytes": LARGEST_JSON_BYTES,
                "pixels": settings.max_pixels,
                "side": settings.max_side,
                "frames": settings.max_frames,
                "variant_side": MAX_SIDE,
                "grown_pixels": MAX_GROWN_PIXELS,
                "avif_pixels_at_once": AVIF_PIXELS,
                "variants_per_request": MAX_VARIANTS,
                "operations": MAX_OPERATIONS,
                "files_per_form": MAX_FILES,
                "name_characters": MAX_NAME,
                "tags": MAX_TAGS,
                "tag_characters": MAX_TAG,
                "metadata_bytes": MAX_METADATA_BYTES,
                "page_items": MAX_PAGE,
                "distance": MAX_DISTANCE,
                "wait_seconds": DEFAULT_WAIT_SECONDS,
                "engine_seconds": settings.engine_seconds,
                "part_bytes": {"least": MIN_PART_BYTES, "most": MAX_PART_BYTES},
                "parts_per_upload": MAX_PARTS,
                "image_in_parts_bytes": MAX_IMAGE_BYTES,
                "faces": installed(),
                "upload_seconds": {"usual": DEFAULT_SECONDS, "longest": LONGEST_SECONDS},
            }
        )
