"""Presets: instructions under a name."""

# ruff: noqa: D102 - ports.Catalog says what each method promises

from collections.abc import Mapping, Sequence

import apsw

from filmroll.catalog import rules
from filmroll.catalog.sqlite.tables import PRESETS, Part
from filmroll.catalog.sqlite.webhooks import write_deliveries
from filmroll.model import Preset, WebhookDelivery
from filmroll.sqlite import rows


class Presets(Part):
    """The part of the catalog that knows presets."""

    async def put_preset(self, preset: Preset, deliveries: Sequence[WebhookDelivery] = ()) -> None:
        await self._db.write(_put, preset, deliveries)

    async def get_presets(self, names: Sequence[str]) -> Mapping[str, Preset]:
        found = (self._db.read(PRESETS.get, name) for name in names)
        return {preset.name: preset for preset in found if preset is not None}

    async def list_presets(self) -> Sequence[Preset]:
        return self._db.read(PRESETS.select, "ORDER BY name")

    async def delete_preset(self, name: str, deliveries: Sequence[WebhookDelivery] = ()) -> bool:
        return await self._db.write(_delete, name, deliveries)


def _put(
    connection: apsw.Connection, preset: Preset, deliveries: Sequence[WebhookDelivery]
) -> None:
    stored = PRESETS.get(connection, preset.name)
    PRESETS.put(connection, rules.kept_preset(stored, preset))
    write_deliveries(connection, deliveries)


def _delete(connection: apsw.Connection, name: str, deliveries: Sequence[WebhookDelivery]) -> bool:
    if not rows(connection, "DELETE FROM presets WHERE name = ? RETURNING name", name):
        return False
    write_deliveries(connection, deliveries)
    return True
