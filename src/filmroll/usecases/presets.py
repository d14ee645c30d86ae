"""Presets: instructions kept on the server under a name."""

from collections.abc import Sequence
from typing import Any

from filmroll.errors import InvalidRequest, NotFound
from filmroll.instructions import OPERATIONS, PRESET_NAME
from filmroll.model import Preset, now
from filmroll.ports import Catalog
from filmroll.usecases.resolve import Resolver
from filmroll.usecases.webhooks.announcing import Announcer


class Presets:
    """The kept presets."""

    def __init__(self, catalog: Catalog, announcer: Announcer) -> None:
        self._catalog = catalog
        self._announcer = announcer
        self._resolver = Resolver(catalog)

    async def put(self, name: str, instructions: Any) -> Preset:
        """Keep instructions under a name; presets within them are written out.

        Pictures made under the old meaning stay reachable by their full instructions.
        """
        if not PRESET_NAME.fullmatch(name) or name in OPERATIONS:
            raise InvalidRequest(
                "A preset's name has 1 to 64 of a-z, 0-9, - and _, and is no operation's.",
                pointer="/name",
            )
        text = (await self._resolver.resolve(instructions)).canonical()
        at = now()
        preset = Preset(name=name, instructions=text, created_at=at, updated_at=at)
        await self._catalog.put_preset(preset, await self._announcer.preset(name, text))
        return await self.get(name)

    async def get(self, name: str) -> Preset:
        """Return a preset; raise NotFound."""
        found = await self._catalog.get_presets([name])
        if name not in found:
            raise NotFound("There is no preset of this name; GET /v1/presets lists them.")
        return found[name]

    async def list(self) -> Sequence[Preset]:
        """Return all presets by name."""
        return await self._catalog.list_presets()

    async def delete(self, name: str) -> None:
        """Remove a preset; raise NotFound."""
        told = await self._announcer.preset(name, None)
        if not await self._catalog.delete_preset(name, told):
            raise NotFound("There is no preset of this name; GET /v1/presets lists them.")
