"""What goes between a client and S3 directly, by URLs that are signed for one request each."""

# ruff: noqa: D102 - ports.DirectUploads and ports.DirectDownloads say what each method promises

from typing import Any

from botocore.exceptions import ClientError

from filmroll.aws import code_of, time_of, translated
from filmroll.blobs.checks import check_key
from filmroll.place import Place
from filmroll.ports import DirectObject, DirectPut

_STORE = "blob store"
_ABSENT = {"404", "NoSuchKey"}


class S3Direct:
    """Signs with the credentials that ``client`` has; no bytes pass through here."""

    def __init__(self, client: Any, place: Place) -> None:
        """``client`` is one of S3 itself, for the bucket and prefix that ``place`` names."""
        self._client = client
        self._bucket = place.name
        self._prefix = f"{place.path}/" if place.path else ""

    async def direct_put(self, key: str, size: int, seconds: int) -> DirectPut:
        pinned = {**self._object(key), "ContentLength": size, "IfNoneMatch": "*"}
        with translated(_STORE):
            url = await self._client.generate_presigned_url(
                "put_object", Params=pinned, ExpiresIn=seconds
            )
        return DirectPut(url=str(url), headers={"Content-Length": str(size), "If-None-Match": "*"})

    async def direct_get(
        self, key: str, seconds: int, content_type: str, disposition: str | None
    ) -> str:
        said = {"ResponseContentType": content_type}
        if disposition is not None:
            said["ResponseContentDisposition"] = disposition
        with translated(_STORE):
            url = await self._client.generate_presigned_url(
                "get_object", Params=self._object(key) | said, ExpiresIn=seconds
            )
        return str(url)

    async def direct_object(self, key: str) -> DirectObject | None:
        with translated(_STORE):
            try:
                found = await self._client.head_object(**self._object(key))
            except ClientError as exc:
                if code_of(exc) in _ABSENT:
                    return None
                raise
        return DirectObject(bytes=found["ContentLength"], etag=found["ETag"].strip('"'))

    async def time(self) -> float:
        with translated(_STORE):
            return time_of(await self._client.head_bucket(Bucket=self._bucket))

    def _object(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": f"{self._prefix}{check_key(key)}"}
