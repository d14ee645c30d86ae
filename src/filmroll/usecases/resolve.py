"""From what a client wrote to instructions that can be carried out here."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

from pydantic import Field

from filmroll.errors import InvalidInstructions, InvalidRequest, UnknownWatermark
from filmroll.faces import require_detector
from filmroll.geometry import Size, size_after
from filmroll.instructions import Instructions, parse, parse_json, preset_names
from filmroll.model import Header, ImageState
from filmroll.ports import Catalog

MAX_VARIANTS = 50  # of one request
USUAL_CHOICES = ("auto-avif-webp", "auto-webp", "auto-basic")  # browsers, old ones, other programs

Spelling = Annotated[
    str | list[dict[str, Any]],
    Field(description="Operations as a path, `resize:width=800/output:format=webp`, or as a list"),
]


class Resolver:
    """Reads either spelling, fills in presets, makes sure that what they need is here."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def resolve(self, raw: Any) -> Instructions:
        """Read instructions that are about to be carried out.

        Raises InvalidInstructions, UnknownPreset or UnknownWatermark, each with a pointer.
        """
        instructions = await self.read(raw)
        await self.require_means(instructions)
        return instructions

    async def read(self, raw: Any) -> Instructions:
        """Read a text in the path spelling or a list in the JSON spelling."""
        if isinstance(raw, str):
            names = preset_names(raw)
            presets = await self._catalog.get_presets(names) if names else {}
            return parse(raw, {name: kept.instructions for name, kept in presets.items()})
        return parse_json(raw)

    async def require_means(self, instructions: Instructions) -> None:
        """Raise InvalidInstructions if what they need besides the picture is not here.

        UnknownWatermark for an image to lay over that is not there.
        """
        require_detector(instructions)
        for mark in instructions.watermarks:
            await self._require_watermark(instructions, mark)

    async def resolve_all(self, raws: Sequence[Any]) -> tuple[Instructions, ...]:
        """Read several; pointers begin with ``/variants/<position>``. Repeated ones count once.

        Those whose format is chosen by who asks become one for each usual answer to that.
        """
        if len(raws) > MAX_VARIANTS:
            raise InvalidRequest(
                f"At most {MAX_VARIANTS} variants in one request; these are {len(raws)}.",
                pointer="/variants",
                limit=MAX_VARIANTS,
                actual=len(raws),
            )
        resolved: list[Instructions] = []
        for position, raw in enumerate(raws):
            with _pointing(f"/variants/{position}"):
                resolved += _for_all(await self.resolve(raw))
        return tuple(dict.fromkeys(resolved))

    async def _require_watermark(self, instructions: Instructions, mark: str) -> None:
        image = await self._catalog.get_image(mark)
        if image is None or image.state is ImageState.DELETED:
            positions = enumerate(instructions.operations)
            at = next(i for i, op in positions if getattr(op, "image", None) == mark)
            raise UnknownWatermark(
                f"The watermark image {mark} does not exist, or was deleted.",
                pointer=f"/{at}/image",
            )


def _for_all(instructions: Instructions) -> Sequence[Instructions]:
    """Return what will be asked for of ``format=auto``: nobody has said yet what they can show."""
    if not instructions.automatic:
        return [instructions]
    return [instructions.resolved(choice) for choice in USUAL_CHOICES]


def require_possible(wanted: Sequence[Instructions], header: Header) -> None:
    """Raise InvalidInstructions or TooManyPixels if a picture of this size cannot follow them."""
    for position, instructions in enumerate(wanted):
        with _pointing(f"/variants/{position}"):
            size_after(instructions, Size(header.width, header.height))


@contextmanager
def _pointing(prefix: str) -> Iterator[None]:
    """Put a prefix before the pointer of an error that passes."""
    try:
        yield
    except InvalidInstructions as error:
        error.figures["pointer"] = prefix + error.figures.get("pointer", "")
        raise
