"""Thousands of uploads that nobody ends: they expire, all of them, and nobody waits for that."""

import asyncio
import hashlib
import sqlite3
import time
from pathlib import Path

import pytest

from filmroll.blobs.disk import DiskBlobs
from filmroll.catalog.sqlite import SqliteCatalog
from filmroll.model import Purpose, Transfer, Upload, UploadPart, UploadState, new_id, now, part_key
from filmroll.ports import Blob
from tests.e2e.service import Service

pytestmark = pytest.mark.slow

UPLOADS = 4_000
GROUP = 1000
BODY = b"a part that no other follows"
LONGEST_SECONDS = 120.0
LONGEST_ANSWER_SECONDS = 1.0


def overdue() -> Upload:
    at = now()
    return Upload(
        id=new_id(),
        state=UploadState.OPEN,
        purpose=Purpose.IMAGE,
        transfer=Transfer.PARTS,
        created_at=at,
        lifetime=-1.0,
        expires_at=at,
    )


def part_of(upload: Upload) -> UploadPart:
    return UploadPart(
        upload=upload.id,
        number=1,
        bytes=len(BODY),
        sha256=hashlib.sha256(BODY).hexdigest(),
        key=part_key(upload.id, 1),
        at=now(),
    )


async def leave_behind(data: Path) -> None:
    blobs, catalog = DiskBlobs(data / "blobs"), SqliteCatalog(data / "catalog.db")
    for _ in range(UPLOADS // GROUP):
        uploads = [overdue() for _ in range(GROUP)]
        parts = [part_of(upload) for upload in uploads]
        await blobs.put_all([Blob(key=one.key, body=BODY, sha256=one.sha256) for one in parts])
        await asyncio.gather(*(catalog.add_upload(upload) for upload in uploads))
        await asyncio.gather(*(catalog.put_part(one) for one in parts))
    await blobs.close()
    await catalog.close()


def left(data: Path) -> tuple[int, int]:
    """Return how many uploads are open, and how many parts there are."""
    with sqlite3.connect(f"file:{data}/catalog.db?mode=ro", uri=True) as catalog:
        uploads = "SELECT count(*) FROM uploads WHERE record ->> '$.state' = 'open'"
        (open_,), (parts,) = (
            catalog.execute(query).fetchone() for query in (uploads, "SELECT count(*) FROM parts")
        )
    return int(open_), int(parts)


def test_uploads_that_nobody_ends_go_in_bounded_time(tmp_path: Path) -> None:
    data = tmp_path / "data"
    asyncio.run(leave_behind(data))
    assert left(data) == (UPLOADS, UPLOADS)
    answers = []
    with Service(data) as service, service.client() as http:
        began = time.monotonic()
        while left(data) != (0, 0):
            assert time.monotonic() - began < LONGEST_SECONDS
            asked = time.monotonic()
            assert http.get("/v1/images").status_code == 200
            answers.append(time.monotonic() - asked)
            time.sleep(0.2)
    assert max(answers) < LONGEST_ANSWER_SECONDS
    assert not [path for path in (data / "blobs" / "p").rglob("*") if path.is_file()]
