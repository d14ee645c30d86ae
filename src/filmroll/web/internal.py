"""The direct call to the processing role, from the other roles; never from the public."""

import hmac

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic_core import from_json, to_json

from filmroll.errors import NotFound, Unauthenticated
from filmroll.instructions import parse
from filmroll.model import Info, Job, Variant
from filmroll.ports import Fresh
from filmroll.web.services import Services

INFO = TypeAdapter(Info)
JOB = TypeAdapter(Job)
_VARIANT = TypeAdapter(Variant)


def dump_fresh(fresh: Fresh) -> bytes:
    """Return a variant as JSON, with what was spent on it beside its own fields."""
    return to_json(_VARIANT.dump_python(fresh.variant, mode="json") | {"spent": fresh.spent})


def load_fresh(text: bytes) -> Fresh:
    """Read what ``dump_fresh`` wrote."""
    fields = from_json(text)
    spent = fields.pop("spent", {})
    return Fresh(variant=_VARIANT.validate_python(fields), spent=spent)


class VariantCall(BaseModel):
    """Ask for one variant."""

    model_config = ConfigDict(extra="forbid")

    image: str
    instructions: str  # canonical text
    again: bool = False


def require_role(request: Request, token: str) -> None:
    """Raise Unauthenticated unless the request brings the secret that the roles share."""
    sent = request.headers.get("authorization", "")
    if not hmac.compare_digest(sent.encode(), f"Bearer {token}".encode()):
        raise Unauthenticated("Only the other roles call this, with FILMROLL_INTERNAL_TOKEN.")


def internal(services: Services) -> APIRouter:
    """Return the routes; the application lets only the other roles come here."""
    router = APIRouter(prefix="/internal", include_in_schema=False)

    @router.post("/jobs/{job}/run")
    async def run_job(job: str) -> Response:
        found = await services.processor.run_job(job)
        if found is None:
            raise NotFound("There is no job with this id.")
        return Response(JOB.dump_json(found), media_type="application/json")

    @router.post("/variants")
    async def make_variant(call: VariantCall) -> Response:
        instructions = parse(call.instructions)
        fresh = await services.processor.make_variant(call.image, instructions, again=call.again)
        return Response(dump_fresh(fresh), media_type="application/json")

    @router.post("/images/{image}/info")
    async def make_info(image: str) -> Response:
        info = await services.processor.make_info(image)
        return Response(INFO.dump_json(info), media_type="application/json")

    return router
