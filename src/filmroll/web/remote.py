"""``ports.Processor`` over HTTP: how the other roles call the processing role."""

from typing import Any

import httpx

from filmroll.errors import NotFound, Overloaded
from filmroll.instructions import Instructions
from filmroll.model import Info, Job, Problem
from filmroll.ports import Fresh
from filmroll.web.internal import INFO, JOB, load_fresh

CONNECT_SECONDS = 2.0
CALL_SECONDS = 120.0
_OK = 200


class RemoteProcessor:
    """Calls ``/internal`` of a worker."""

    def __init__(self, url: str, token: str) -> None:
        self._client = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(CALL_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
        )

    async def run_job(self, job: str) -> Job | None:
        """Run a job there; None if it is unknown there."""
        try:
            return JOB.validate_json(await self._call(f"/internal/jobs/{job}/run"))
        except NotFound:
            return None

    async def make_variant(
        self, image: str, instructions: Instructions, *, again: bool = False
    ) -> Fresh:
        """Make a variant there; raise what it is refused with there."""
        call = {"image": image, "instructions": instructions.canonical(), "again": again}
        return load_fresh(await self._call("/internal/variants", call))

    async def make_info(self, image: str) -> Info:
        """Describe an image there; raise what it is refused with there."""
        return INFO.validate_json(await self._call(f"/internal/images/{image}/info"))

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def _call(self, path: str, body: Any = None) -> bytes:
        try:
            response = await self._client.post(path, json=body)
        except httpx.HTTPError as fault:
            raise Overloaded(
                "The processing role does not answer. Try again in a few seconds.", retry_after=5
            ) from fault
        if response.status_code == _OK:
            return response.content
        raise _problem(response).error()


def _problem(response: httpx.Response) -> Problem:
    try:
        body = response.json()
        code, detail = body.pop("code"), body.pop("detail")
    except (ValueError, KeyError):
        detail = f"The processing role answered with status {response.status_code}."
        return Problem(code=Overloaded.code, detail=detail)
    for member in ("type", "title", "status"):
        body.pop(member, None)
    return Problem(code=code, detail=detail, figures=body)
