"""Variants: those that an upload's job made lie with their image, the others beside it."""

# ruff: noqa: D102 - ports.Catalog says what each method promises

from collections.abc import Sequence

from filmroll.catalog import rules
from filmroll.catalog.dynamodb.part import Part
from filmroll.catalog.dynamodb.record import pack, read, unpack
from filmroll.catalog.dynamodb.schema import RECORD
from filmroll.catalog.dynamodb.table import Key, text, together
from filmroll.model import Variant

VARIANT = "variant#"  # what the ``sk`` of one begins with that lies beside its image


class Variants(Part):
    """The part of the catalog that knows variants."""

    async def get_variant(self, image: str, recipe: str) -> Variant | None:
        other: Key = (image, f"{VARIANT}{recipe}")
        found = await self._table.get_all([(image, RECORD), other])
        own = read(found.get((image, RECORD)), image).variants.get(recipe)
        beside = unpack(Variant, found[other]["variant"]) if other in found else None
        return _later(own, beside)

    async def list_variants(self, image: str) -> Sequence[Variant]:
        found: dict[str, Variant] = {}
        async for item in self._table.query(image):
            if "variant" in item:
                made = [unpack(Variant, item["variant"])]
            else:
                made = list(read(item).variants.values()) if item["sk"]["S"] == RECORD else []
            for variant in made:
                later = _later(found.get(variant.recipe), variant)
                found[variant.recipe] = later or variant
        return sorted(found.values(), key=lambda variant: (variant.created_at, variant.recipe))

    async def put_variants(self, image: str, variants: Sequence[Variant]) -> bool:
        items = [
            {
                "pk": text(image),
                "sk": text(f"{VARIANT}{variant.recipe}"),
                "variant": pack(variant),
            }
            for variant in variants
        ]
        await together([self._table.put(item) for item in items])
        # Looked at afterwards: whoever buries it from now on finds them.
        if rules.live((await self._read(image)).image):
            return True
        await self._table.delete_all([(image, item["sk"]["S"]) for item in items])
        return False


def _later(one: Variant | None, other: Variant | None) -> Variant | None:
    """Return the one that was made later, of two records of a variant."""
    if one is None or other is None:
        return one or other
    return one if one.created_at > other.created_at else other
