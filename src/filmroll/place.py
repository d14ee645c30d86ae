"""Where a store is that is not on this machine: what its URL says.

``s3://bucket/prefix``, ``dynamodb://table``, ``sqs://prefix``, each with ``?region=…&endpoint=…``
where the surroundings do not say it.
"""

import os
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a store is; ``path`` is what follows the name, without the slash between them."""

    service: str
    name: str
    path: str = ""
    region: str | None = None
    endpoint: str | None = None

    @classmethod
    def of(cls, url: str) -> "Place":
        """Read a store's URL; ValueError says what is wrong with it."""
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        region, endpoint = options.pop("region", None), options.pop("endpoint", None)
        if not parts.netloc:
            raise ValueError(f"{parts.scheme}:// must be followed by a name")
        if options:
            raise ValueError(f"knows region and endpoint behind the ?, not {min(options)}")
        if endpoint is not None and not endpoint.startswith(("http://", "https://")):
            raise ValueError("endpoint must begin with http:// or https://")
        return cls(
            service=parts.scheme,
            name=parts.netloc,
            path=parts.path.strip("/"),
            region=region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"),
            endpoint=endpoint,
        )
