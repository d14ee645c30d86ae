"""The Python client: ``Client``, ``AsyncClient``, and what they return and raise.

It needs a service's address, nothing else of Filmroll. docs/client.md shows its use.
"""

from filmroll.client.batches import AsyncBatch
from filmroll.client.blocking import Batch, Client
from filmroll.client.core import AsyncClient
from filmroll.client.errors import ApiError, ClientError, Unreachable
from filmroll.client.push import PushSummary
from filmroll.client.tally import Tally
from filmroll.client.views import (
    BatchView,
    ImageView,
    InfoView,
    LineView,
    ManifestLine,
    MemberVerdict,
    VariantView,
    Verdict,
)

__all__ = [
    "ApiError",
    "AsyncBatch",
    "AsyncClient",
    "Batch",
    "BatchView",
    "Client",
    "ClientError",
    "ImageView",
    "InfoView",
    "LineView",
    "ManifestLine",
    "MemberVerdict",
    "PushSummary",
    "Tally",
    "Unreachable",
    "VariantView",
    "Verdict",
]
