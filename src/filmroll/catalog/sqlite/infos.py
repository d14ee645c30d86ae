"""Information about images, and the index by which those that look alike are found.

A hash stands in ``looks`` once for each of its bands: a search reads the few bands of which each
near hash has at least one, see ``near_bands``.
"""

from collections.abc import Iterator
from heapq import merge
from itertools import groupby

import apsw

from filmroll.catalog.cursor import Position
from filmroll.catalog.records import decode, encode, others
from filmroll.model import Image, Info, bands, distance, near_bands
from filmroll.ports import Similar
from filmroll.sqlite import rows


def get_info(connection: apsw.Connection, image: str) -> Info | None:
    """Return what is kept of an image."""
    found = rows(connection, "SELECT record FROM infos WHERE image = ?", image)
    return decode(Info, found[0][0], {}) if found else None


def put_info(connection: apsw.Connection, image: Image, info: Info) -> None:
    """Keep an image's information, of which there is none."""
    record = encode(info, others(Info, ()))
    rows(connection, "INSERT INTO infos VALUES (?, ?)", image.id, record)
    if info.phash is not None:
        places = [(band, image.created_at, image.id, info.phash) for band in bands(info.phash)]
        connection.executemany("INSERT INTO looks VALUES (?, ?, ?, ?)", places)


def drop_info(connection: apsw.Connection, image: Image) -> None:
    """Forget an image's information, if there is any."""
    kept = get_info(connection, image.id)
    if kept is not None and kept.phash is not None:
        places = [(band, image.created_at, image.id) for band in bands(kept.phash)]
        delete = "DELETE FROM looks WHERE (band, created_at, image) = (?, ?, ?)"
        connection.executemany(delete, places)
    rows(connection, "DELETE FROM infos WHERE image = ?", image.id)


def looking_like(
    connection: apsw.Connection, similar: Similar, after: float, before: Position
) -> Iterator[str]:
    """Yield the ids of images whose hash is near enough, newest first, between two moments.

    No more rows are read than somebody looks at: of ten thousand that look alike, those of a page.
    """
    query = """
        SELECT created_at, image, phash FROM looks
        WHERE band = ? AND created_at > ? AND (created_at, image) < (?, ?)
        ORDER BY created_at DESC, image DESC
    """
    near = near_bands(similar.phash, similar.distance)
    found = [connection.execute(query, (band, after, *before)) for band in near]
    for (_, image, phash), _ in groupby(merge(*found, reverse=True)):
        if distance(phash, similar.phash) <= similar.distance:
            yield image
