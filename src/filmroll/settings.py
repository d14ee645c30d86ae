"""Settings: each with its default and its meaning, read from ``FILMROLL_…``, checked at start.

All faults are reported together, a line each.
"""

import ipaddress
import os
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from filmroll.limits import Limits
from filmroll.machine import machine_memory
from filmroll.migration import Sources, imgproxy_keys, parse_presets
from filmroll.place import Place

PREFIX = "FILMROLL_"
CLIENT_VARIABLES = {"FILMROLL_URL", "FILMROLL_KEY"}  # read by `filmroll put` and `filmroll get`


_LOCAL = {"blobs": "file", "catalog": "sqlite", "queue": "sqlite"}
_REMOTE = {"blobs": "s3", "catalog": "dynamodb", "queue": "sqs"}


class Access(StrEnum):
    """Who may use the service."""

    OPEN = "open"
    KEYS = "keys"


class LogFormat(StrEnum):
    """How log lines look."""

    TEXT = "text"
    JSON = "json"


class SettingsError(Exception):
    """Settings that do not hold; ``faults`` has a line for each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class CannotStart(Exception):
    """Something outside is in the way of a start; the message says what, in one line."""


class Role(StrEnum):
    """What a process does; the value is its command."""

    ALL = "serve"
    UPLOAD = "upload-api"
    DOWNLOAD = "download-api"
    WORKER = "worker"


def _default_log_format() -> LogFormat:
    return LogFormat.TEXT if sys.stderr.isatty() else LogFormat.JSON


class Settings(BaseSettings):
    """Everything that can be configured."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    data: Path = Field(
        Path("filmroll-data"), description="The folder from which the defaults of the stores follow"
    )
    host: str = Field("127.0.0.1", description="The address to listen on")
    port: Annotated[int, Field(ge=0, le=65_535)] = Field(
        8000, description="The port to listen on; 0 takes a free one"
    )
    access: Access | None = Field(
        None,
        description="open (no key needed; the default on a loopback address) or keys (elsewhere)",
    )
    public_url: str | None = Field(
        None, description="What the URLs in answers begin with; default: the request's own host"
    )
    blobs: str = Field(
        "", description="Where originals and variants lie; file:///path or s3://bucket/prefix"
    )
    catalog: str = Field("", description="Where records lie; sqlite:///path or dynamodb://table")
    queue: str = Field("", description="Where jobs wait; sqlite:///path or sqs://prefix")
    max_upload_bytes: Annotated[int, Field(ge=1)] = Field(
        100_000_000, description="The largest body of one upload, in bytes"
    )
    max_pixels: Annotated[int, Field(ge=1)] = Field(
        Limits().max_pixels, description="The most pixels of an image, over all its frames"
    )
    max_side: Annotated[int, Field(ge=1)] = Field(
        Limits().max_side, description="The largest width or height of an image, in pixels"
    )
    max_frames: Annotated[int, Field(ge=1)] = Field(
        Limits().max_frames, description="The most frames of an animation"
    )
    engines: Annotated[int, Field(ge=1)] = Field(
        os.cpu_count() or 1,
        description="How many pictures are processed at once for people who wait, and one more; as "
        "many again, at a low priority, for bulk",
    )
    engine_memory_bytes: Annotated[int, Field(ge=2**28)] = Field(
        2**31, description="The most address space of one engine process, in bytes"
    )
    decode_memory_bytes: Annotated[int, Field(ge=2**28)] = Field(
        default_factory=lambda: max(2**28, machine_memory() // 2),
        description="How much memory decoded pictures may take at once, in bytes; more wait for "
        "each other. Default: half of the machine's, or of the container's",
    )
    engine_seconds: Annotated[float, Field(gt=0)] = Field(
        30.0, description="The most time for one picture, in seconds"
    )
    waiting_line: Annotated[int, Field(ge=0)] = Field(
        64, description="How many may wait for an engine before the answer is 503"
    )
    worker_url: str = Field(
        "http://127.0.0.1:8003",
        description="Where upload-api and download-api reach the processing role",
    )
    internal_token: str | None = Field(
        None,
        description="The secret between the roles; default: made once, kept in the data folder",
    )
    url_seconds: Annotated[int, Field(ge=60)] = Field(
        86_400, description="How long signed URLs in answers are good, in seconds"
    )
    presets_only: bool = Field(
        default=False, description="Whether delivery takes presets only, no free instructions"
    )
    unsigned_presets: bool = Field(
        default=False, description="Whether preset URLs need no signature when access is keys"
    )
    client_hints: bool = Field(
        default=False,
        description="Whether Sec-CH-DPR, Sec-CH-Width and Save-Data decide what the instructions "
        "leave open",
    )
    fallback_image: Annotated[str, Field(pattern=r"^[0-9a-z]{26}$")] | None = Field(
        None,
        description="The id of an image that is shown, by the same instructions, in the place of "
        "one that is missing, deleted or broken; default: an error without a picture",
    )
    redirect_originals: bool = Field(
        default=False,
        description="Whether originals are fetched from S3 itself, by a redirect to a signed URL",
    )
    accel_location: Annotated[str, Field(pattern=r"^/[A-Za-z0-9._/-]*/$")] | None = Field(
        None,
        description="Where the proxy in front finds the folder of the blob store and sends larger "
        "files itself: an internal location of nginx, such as /_blobs/, or for X-Sendfile the "
        "folder's path; default: this service sends the bytes",
    )
    accel_header: Literal["X-Accel-Redirect", "X-Sendfile"] = Field(
        "X-Accel-Redirect",
        description="How the proxy is told of a file: X-Accel-Redirect (nginx) or X-Sendfile "
        "(lighttpd, Apache)",
    )
    cache_tag_header: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")] | None = Field(
        None,
        description="The header that names image and presets to a CDN, such as Surrogate-Key (its "
        "tags separated by spaces) or Cache-Tag (by commas); default: none",
    )
    fetch_allow: str = Field(
        "",
        description="Private hosts that images may be fetched from and webhooks sent to, separated "
        "by commas; host, host:port or network; default: public ones only",
    )
    sources: str = Field(
        "",
        description="Base URLs, separated by commas, under which thumbor's and imgproxy's URLs "
        "may name originals to fetch on first use; prefix=base replaces a prefix; default: none",
    )
    thumbor_key: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="thumbor's SECURITY_KEY: its URLs under /i/thumbor/ must be signed with it",
    )
    imgproxy_key: str | None = Field(
        None,
        description="IMGPROXY_KEY, hexadecimal, several separated by commas: imgproxy's URLs under "
        "/i/imgproxy/ must be signed with one",
    )
    imgproxy_salt: str | None = Field(None, description="IMGPROXY_SALT, as many as there are keys")
    imgproxy_signature_bytes: Annotated[int, Field(ge=8, le=32)] = Field(
        32, description="IMGPROXY_SIGNATURE_SIZE: how many bytes signatures were cut to"
    )
    imgproxy_presets: str = Field(
        "", description="IMGPROXY_PRESETS: name=option/option, separated by commas"
    )
    imgproxy_watermark: str | None = Field(
        None,
        description="The id, or the source, of the image that imgproxy's watermark lays over",
    )
    log: LogFormat = Field(
        default_factory=_default_log_format,
        description="text or json; default: text on a terminal, else json",
    )
    drain_seconds: Annotated[float, Field(ge=0)] = Field(
        30.0, description="How long a stopping service waits for requests and jobs under way"
    )

    @field_validator("public_url")
    @classmethod
    def _absolute(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return url.rstrip("/") if url else None

    @field_validator(*_LOCAL)
    @classmethod
    def _of_scheme(cls, url: str, info: ValidationInfo) -> str:
        local, remote = _LOCAL[str(info.field_name)], _REMOTE[str(info.field_name)]
        if url.startswith(f"{remote}://"):
            Place.of(url)
        elif url and not url.startswith(f"{local}:///"):
            raise ValueError(f"must be {local}:///path or {remote}://name")
        return url

    @model_validator(mode="after")
    def _fitting_the_store(self) -> Self:
        remote = self.place("blobs") is not None
        if self.redirect_originals and not remote:
            raise ValueError(f"{PREFIX}REDIRECT_ORIGINALS needs {PREFIX}BLOBS=s3://…")
        if self.accel_location and remote:
            raise ValueError(f"{PREFIX}ACCEL_LOCATION needs {PREFIX}BLOBS=file:///…")
        return self

    @field_validator("sources")
    @classmethod
    def _base_urls(cls, text: str) -> str:
        Sources(split(text))
        return text

    @field_validator("imgproxy_presets")
    @classmethod
    def _presets(cls, text: str) -> str:
        parse_presets(text)
        return text

    @model_validator(mode="after")
    def _key_and_salt(self) -> Self:
        keys, salts = self.imgproxy_key, self.imgproxy_salt
        try:
            if keys is not None or salts is not None:
                imgproxy_keys(keys or "", salts or "", self.imgproxy_signature_bytes)
        except ValueError:
            raise ValueError(
                "FILMROLL_IMGPROXY_KEY and FILMROLL_IMGPROXY_SALT must be hexadecimal, and as many"
            ) from None
        return self

    @property
    def limits(self) -> Limits:
        """What an original may hold."""
        return Limits(
            max_pixels=self.max_pixels, max_side=self.max_side, max_frames=self.max_frames
        )

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def open_access(self) -> bool:
        """Whether no key is needed."""
        if self.access is None:
            return self.loopback
        return self.access is Access.OPEN

    @property
    def source_bases(self) -> Sources:
        """What may be fetched on its first use."""
        return Sources(split(self.sources))

    def place(self, name: str) -> Place | None:
        """Return where a store is that is not on this machine; None for an embedded one."""
        url: str = getattr(self, name)
        return Place.of(url) if url.startswith(f"{_REMOTE[name]}://") else None

    def store_path(self, name: str, default: str) -> Path:
        """Return the path of an embedded store: from its URL, or in the data folder."""
        url: str = getattr(self, name)
        return Path(url.partition("://")[2]) if url else self.data / default


def split(text: str) -> list[str]:
    """Return the parts of a setting that are separated by commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def load(environ: Mapping[str, str] = os.environ, **overrides: Any) -> Settings:
    """Read the settings; raise SettingsError with every fault at once."""
    names = {PREFIX + name.upper() for name in Settings.model_fields} | CLIENT_VARIABLES
    unknown = [
        f"{name}: there is no such setting (see `filmroll settings`)"
        for name in sorted(environ)
        if name.startswith(PREFIX) and name not in names
    ]
    given = {key: value for key, value in overrides.items() if value is not None}
    try:
        settings = Settings(**given)
    except ValidationError as invalid:
        raise SettingsError(unknown + [_line(fault) for fault in invalid.errors()]) from None
    if unknown:
        raise SettingsError(unknown)
    return settings


def _line(fault: Any) -> str:
    message = fault["msg"].removeprefix("Value error, ")
    if not fault["loc"]:
        return str(message)
    return f"{PREFIX}{str(fault['loc'][0]).upper()}: {message}, not {fault['input']!r}"
