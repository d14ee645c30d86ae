"""Uploads that go from a client to S3 directly, by URLs that are signed for one request each."""

# ruff: noqa: D102 - ports.DirectUploads says what each method promises

import base64
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from filmroll.aws import code_of, translated
from filmroll.blobs.checks import check_key
from filmroll.errors import FilmrollError, InvalidPart, InvalidPartOrder, PartTooSmall, UploadGone
from filmroll.place import Place
from filmroll.ports import BlobInfo, DirectPart, DirectPut

_STORE = "blob store"
_ABSENT = {"404", "NoSuchKey"}
_GONE = "NoSuchUpload"
_REFUSALS: dict[str, tuple[type[FilmrollError], str]] = {
    "InvalidPart": (InvalidPart, "A part in the list was never sent, or other bytes were."),
    "InvalidPartOrder": (InvalidPartOrder, "The parts must be listed by number, upwards."),
    "EntityTooSmall": (PartTooSmall, "Every part but the last must have 5 MiB at least."),
}


class S3Direct:
    """Signs with the credentials that ``client`` has; no bytes pass through here."""

    def __init__(self, client: Any, place: Place) -> None:
        """``client`` is one of S3 itself, for the bucket and prefix that ``place`` names."""
        self._client = client
        self._bucket = place.name
        self._prefix = f"{place.path}/" if place.path else ""

    async def head(self, key: str) -> BlobInfo | None:
        with translated(_STORE):
            try:
                found = await self._client.head_object(**self._object(key))
            except ClientError as exc:
                if code_of(exc) in _ABSENT:
                    return None
                raise
        return BlobInfo(
            key=key, bytes=found["ContentLength"], modified_at=found["LastModified"].timestamp()
        )

    async def direct_put(self, key: str, size: int, sha256: str | None, seconds: int) -> DirectPut:
        pinned: dict[str, Any] = {"ContentLength": size, "IfNoneMatch": "*"}
        headers = {"Content-Length": str(size), "If-None-Match": "*"}
        if sha256 is not None:
            digest = base64.b64encode(bytes.fromhex(sha256)).decode()
            pinned["ChecksumSHA256"] = headers["x-amz-checksum-sha256"] = digest
        url = await self._sign("put_object", self._object(key) | pinned, seconds)
        return DirectPut(url=url, headers=headers)

    async def begin_direct(self, key: str) -> str:
        with translated(_STORE):
            answer = await self._client.create_multipart_upload(**self._object(key))
        return str(answer["UploadId"])

    async def direct_part(
        self, key: str, upload: str, number: int, size: int, seconds: int
    ) -> DirectPut:
        pinned = {"UploadId": upload, "PartNumber": number, "ContentLength": size}
        url = await self._sign("upload_part", self._object(key) | pinned, seconds)
        return DirectPut(url=url, headers={"Content-Length": str(size)})

    async def complete_direct(self, key: str, upload: str, parts: Sequence[DirectPart]) -> None:
        listed = [{"PartNumber": part.number, "ETag": part.etag} for part in parts]
        with translated(_STORE):
            try:
                await self._client.complete_multipart_upload(
                    **self._object(key), UploadId=upload, MultipartUpload={"Parts": listed}
                )
            except ClientError as exc:
                await self._judge(key, exc)

    async def abort_direct(self, key: str, upload: str) -> None:
        with translated(_STORE):
            try:
                await self._client.abort_multipart_upload(**self._object(key), UploadId=upload)
            except ClientError as exc:
                if code_of(exc) != _GONE:
                    raise

    async def _judge(self, key: str, error: ClientError) -> None:
        """Raise what a refused completion means, unless it has been completed before."""
        code = code_of(error)
        if code == _GONE:
            if await self.head(key) is None:
                raise UploadGone("The upload is gone. Begin another one.") from error
            return
        if code not in _REFUSALS:
            raise error
        meaning, detail = _REFUSALS[code]
        raise meaning(detail) from error

    def _object(self, key: str) -> dict[str, Any]:
        return {"Bucket": self._bucket, "Key": f"{self._prefix}{check_key(key)}"}

    async def _sign(self, operation: str, parameters: dict[str, Any], seconds: int) -> str:
        with translated(_STORE):
            return str(
                await self._client.generate_presigned_url(
                    operation, Params=parameters, ExpiresIn=seconds
                )
            )
