"""Keys, presets, and requests that may come twice."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Scope(StrEnum):
    """What an access key allows; ``admin`` allows everything."""

    UPLOAD = "upload"
    READ = "read"
    ADMIN = "admin"


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessKey:
    """A key of the API. Only the hash of the secret is kept."""

    id: str
    name: str
    hash: str  # sha256 of the whole key, hex
    scopes: tuple[Scope, ...]
    created_at: float
    revoked_at: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SigningKey:
    """A key that signs delivery URLs. Its secret is needed to check them, so it is kept."""

    id: str  # the ``kid`` in the URL
    secret: str = field(repr=False)
    created_at: float
    revoked_at: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class IdempotentRequest:
    """A request that was made under an Idempotency-Key, and its answer once there is one."""

    key: str
    fingerprint: str
    expires_at: float
    locked_until: float
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Preset:
    """Instructions kept on the server under a name."""

    name: str
    instructions: str  # canonical text
    created_at: float
    updated_at: float
