"""What can be told of an image without handing it out."""

from collections.abc import Mapping, Sequence

from filmroll.errors import Deleted, InvalidRequest, NotFound
from filmroll.model import Info, is_id
from filmroll.ports import Catalog, Processor, Similar
from filmroll.usecases.images import living

DEFAULT_DISTANCE = 3  # bits: a copy in another size, format or quality
ALL, GPS = "all", "gps"
_PLACE = "GPS"  # what the names of tags begin with that tell where a picture was taken
# Tags that tell of a person or a thing one owns: only by their own names, as the place.
_PRIVATE = frozenset({"BodySerialNumber", "CameraOwnerName", "LensSerialNumber", "OwnerName"})


class Infos:
    """Information about images, made when it is first asked for."""

    def __init__(self, catalog: Catalog, processor: Processor) -> None:
        self._catalog = catalog
        self._processor = processor

    async def get(self, image: str) -> Info:
        """Return what there is to tell of an image that is there; raise what stands against it."""
        info = await self._catalog.get_info(image)
        if info is not None and info.current:
            return info
        return await self._processor.make_info(image)

    async def similar(self, like: str, distance: int) -> Similar:
        """Read what pictures are to be like: an image, by its id, or a perceptual hash.

        Raises InvalidRequest where there is none, and what the engine refuses with.
        """
        if not is_id(like):
            return Similar(phash=like, distance=distance)
        try:
            await living(self._catalog, like)
            info = await self.get(like)
        except (NotFound, Deleted) as fault:
            raise InvalidRequest(
                f"There is no image {like}, or it was deleted.", pointer="/similar"
            ) from fault
        if info.phash is None:
            raise InvalidRequest(
                "This image shows nothing but one grey: nothing is more like it than the rest.",
                pointer="/similar",
            )
        return Similar(phash=info.phash, distance=distance)


def exif_told(exif: Mapping[str, str], wanted: Sequence[str]) -> dict[str, str | None]:
    """Return the tags that were asked for; None for what a picture has not.

    ``all`` leaves out where a picture was taken, and what tells of its owner; ``gps`` is where.
    """
    told: dict[str, str | None] = {}
    for name in wanted:
        if name == ALL:
            told |= {tag: value for tag, value in exif.items() if not _private(tag)}
        elif name == GPS:
            told |= {tag: value for tag, value in exif.items() if tag.startswith(_PLACE)}
        else:
            told[name] = exif.get(name)
    return told


def _private(tag: str) -> bool:
    return tag.startswith(_PLACE) or tag in _PRIVATE
