"""Filmroll on stores that are reached by lines which a test may listen to, and harm."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.local.cluster import Stores, create_stores
from filmroll.model import new_id
from tests.faults.wire import Wire


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines to the stores, and the settings that lead over them."""

    s3: Wire
    aws: Wire  # DynamoDB and SQS
    variables: dict[str, str]


@pytest.fixture
def lines(seaweedfs, ministack) -> Iterator[Lines]:
    s3, aws = Wire(seaweedfs.endpoint), Wire(ministack.endpoint)
    variables = Stores(seaweedfs, ministack).variables(new_id())
    variables["FILMROLL_INTERNAL_TOKEN"] = new_id()
    create_stores(variables)
    for name in ("FILMROLL_BLOBS", "FILMROLL_CATALOG", "FILMROLL_QUEUE"):
        far, near = (ministack, aws) if name != "FILMROLL_BLOBS" else (seaweedfs, s3)
        variables[name] = variables[name].replace(far.endpoint, near.endpoint)
    yield Lines(s3, aws, variables)
    s3.close()
    aws.close()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"
