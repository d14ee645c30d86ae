"""The bucket that blobs lie in, and what it throws away by itself."""

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from filmroll.aws import code_of, translated
from filmroll.place import Place
from filmroll.ports import CHECKS

_NOT_NAMED = {"us-east-1", "aws-global"}  # where a bucket is created if no region is named
_ABSENT = {"404", "NoSuchBucket"}
_THERE = {"BucketAlreadyOwnedByYou"}
_NO_RULES = {"NoSuchLifecycleConfiguration"}
_NOT_OFFERED = {"NotImplemented", "MethodNotAllowed"}

Rule = Mapping[str, Any]


def lifecycle_rules(path: str = "") -> Sequence[Rule]:
    """Return what may go after a day below a prefix: unfinished uploads, and leftover checks."""
    prefix = f"{path}/" if path else ""
    suffix = f"-{path}" if path else ""
    return (
        {
            "ID": f"filmroll-unfinished{suffix}",
            "Status": "Enabled",
            "Filter": {"Prefix": prefix},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        },
        {
            "ID": f"filmroll-checks{suffix}",
            "Status": "Enabled",
            "Filter": {"Prefix": f"{prefix}{CHECKS}"},
            "Expiration": {"Days": 1},
        },
    )


async def prepare_bucket(client: Any, place: Place) -> bool:
    """Create the bucket if it is missing, and give it the rules; those of others stay.

    Returns whether the store keeps such rules. If not, unfinished uploads stay until somebody
    removes them.
    """
    with translated("bucket"):
        if not await _exists(client, place.name):
            await _create(client, place)
        try:
            await _put_rules(client, place)
        except ClientError as exc:
            if code_of(exc) in _NOT_OFFERED:
                return False
            raise
    return True


async def _exists(client: Any, bucket: str) -> bool:
    try:
        await client.head_bucket(Bucket=bucket)
    except ClientError as exc:
        if code_of(exc) in _ABSENT:
            return False
        raise
    return True


async def _create(client: Any, place: Place) -> None:
    options = {}
    region = client.meta.region_name
    if region not in _NOT_NAMED:
        options["CreateBucketConfiguration"] = {"LocationConstraint": region}
    try:
        await client.create_bucket(Bucket=place.name, **options)
    except ClientError as exc:
        if code_of(exc) not in _THERE:  # another process was faster
            raise


async def _put_rules(client: Any, place: Place) -> None:
    """Replace our rules among all: a bucket has one list of them."""
    ours = lifecycle_rules(place.path)
    names = {rule["ID"] for rule in ours}
    others = [rule for rule in await _rules(client, place.name) if rule.get("ID") not in names]
    await client.put_bucket_lifecycle_configuration(
        Bucket=place.name, LifecycleConfiguration={"Rules": [*others, *ours]}
    )


async def _rules(client: Any, bucket: str) -> Sequence[Rule]:
    try:
        answer = await client.get_bucket_lifecycle_configuration(Bucket=bucket)
    except ClientError as exc:
        if code_of(exc) in _NO_RULES:
            return ()
        raise
    rules: Sequence[Rule] = answer["Rules"]
    return rules
