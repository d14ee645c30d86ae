"""The fields of JSON bodies and queries, and the ids in paths: read strictly."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi.routing import APIRoute
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import Response

from filmroll.errors import NotFound
from filmroll.model import is_id
from filmroll.usecases.images import MAX_NAME, MAX_TAG

Id = Annotated[str, Field(pattern="^[0-9a-z]{26}$")]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
Tag = Annotated[str, Field(min_length=1, max_length=MAX_TAG)]


class Fields(BaseModel):
    """What a body or a query may name; anything else is refused."""

    model_config = ConfigDict(extra="forbid")


class ImageConditions(Fields):
    """Which images: all conditions hold at once."""

    tag: Tag | None = None
    batch: Id | None = None
    sha256: Sha256 | None = None
    created_after: AwareDatetime | None = None


class StrictRoute(APIRoute):
    """A route that takes no JSON which UTF-8 could not hold: it could not be written again."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        handle = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            return await handle(_Strict(request.scope, request.receive))

        return strictly


class _Strict(Request):
    async def json(self) -> Any:
        """Read the body; raise ValueError, also for half a surrogate pair."""
        return from_json(await self.body())


def require_id(text: str) -> str:
    """Return an id out of a path; raise NotFound for what can be none."""
    if not is_id(text):
        raise NotFound("There is nothing with this id.")
    return text
