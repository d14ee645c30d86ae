"""``GET /v1/images/{id}/info``: what can be told of a picture."""

import hashlib
import re
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from filmroll.errors import InvalidRequest
from filmroll.model import Scope
from filmroll.usecases.infos import exif_told
from filmroll.web.access import Gate
from filmroll.web.conditional import none_match
from filmroll.web.fields import Fields, StrictRoute, require_id
from filmroll.web.services import Services
from filmroll.web.views import info_view, json_response

_CACHING = "private, max-age=300"
_MOST_TAGS = 50
_TAG = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}")


class InfoQuery(Fields):
    """What to tell besides."""

    exif: list[str] = Field(default=[], description="Tags; all; gps")

    def tags(self) -> list[str]:
        """Return the names of EXIF tags; InvalidRequest for what can be none."""
        names = [name for part in self.exif for name in part.split(",")]
        if len(names) > _MOST_TAGS or not all(map(_TAG.fullmatch, names)):
            raise InvalidRequest(
                f"exif takes the names of tags with commas between them, {_MOST_TAGS} at most, "
                "such as Make,Model; or all; or gps.",
                pointer="/exif",
                limit=_MOST_TAGS,
            )
        return names


def infos(services: Services, gate: Gate) -> APIRouter:
    """Return the route."""
    router = APIRouter(prefix="/v1", route_class=StrictRoute)

    @router.get("/images/{image}/info", summary="What can be told of an image")
    async def get_info(
        request: Request, image: str, wish: Annotated[InfoQuery, Query()]
    ) -> Response:
        await gate.require(request, Scope.READ)
        tags = wish.tags()
        found = await services.images.get(require_id(image))
        info = await services.infos.get(found.id)
        answer = json_response(info_view(found, info, exif_told(info.exif, tags)))
        etag = hashlib.sha256(answer.body).hexdigest()[:32]
        headers = {"ETag": f'"{etag}"', "Cache-Control": _CACHING}
        if none_match(request.headers, etag):
            return Response(status_code=304, headers=headers)
        answer.headers.update(headers)
        return answer

    return router
