"""What Filmroll keeps: frozen, keyword-only records, their states, their ids and their keys.

Times are seconds since the epoch (float, UTC). A record never changes; ``dataclasses.replace``
makes the next one.
"""

from filmroll.model.access import AccessKey, IdempotentRequest, Preset, Scope, SigningKey
from filmroll.model.batches import Action, Batch, BatchState, Counts, Line, LineState, OnDuplicate
from filmroll.model.cache_tags import image_tag, preset_tag
from filmroll.model.ids import derived_id, is_id, new_id, now, timestamp
from filmroll.model.images import Header, Image, ImageState, Outcome, Variant, VariantState
from filmroll.model.info import (
    INFO_VERSION,
    MAX_DISTANCE,
    Info,
    Swatch,
    bands,
    distance,
    near_bands,
)
from filmroll.model.jobs import Job, JobKind, JobState, Lane, line_job
from filmroll.model.keys import (
    BLOB_ROOTS,
    direct_key,
    original_key,
    part_key,
    variant_key,
    variant_prefix,
)
from filmroll.model.problem import Problem
from filmroll.model.sources import KeptSource
from filmroll.model.uploads import Purpose, Transfer, Upload, UploadPart, UploadState
from filmroll.model.webhooks import (
    PURGES,
    DeliveryState,
    Endpoint,
    EndpointState,
    Event,
    WebhookDelivery,
)

__all__ = [
    "BLOB_ROOTS",
    "INFO_VERSION",
    "MAX_DISTANCE",
    "PURGES",
    "AccessKey",
    "Action",
    "Batch",
    "BatchState",
    "Counts",
    "DeliveryState",
    "Endpoint",
    "EndpointState",
    "Event",
    "Header",
    "IdempotentRequest",
    "Image",
    "ImageState",
    "Info",
    "Job",
    "JobKind",
    "JobState",
    "KeptSource",
    "Lane",
    "Line",
    "LineState",
    "OnDuplicate",
    "Outcome",
    "Preset",
    "Problem",
    "Purpose",
    "Scope",
    "SigningKey",
    "Swatch",
    "Transfer",
    "Upload",
    "UploadPart",
    "UploadState",
    "Variant",
    "VariantState",
    "WebhookDelivery",
    "bands",
    "derived_id",
    "direct_key",
    "distance",
    "image_tag",
    "is_id",
    "line_job",
    "near_bands",
    "new_id",
    "now",
    "original_key",
    "part_key",
    "preset_tag",
    "timestamp",
    "variant_key",
    "variant_prefix",
]
