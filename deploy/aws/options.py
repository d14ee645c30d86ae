"""What can be chosen at a deployment: values of the CDK's context, each with its default."""

import re
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Self

from constructs import Construct

from filmroll import __version__

_AMAZON_LINUX = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"


class Size(NamedTuple):
    """How many machines a group has at least and at most; written ``2-20``."""

    least: int
    most: int


_UPLOAD_APIS, _DOWNLOAD_APIS, _WORKERS = Size(2, 10), Size(2, 20), Size(2, 30)


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """All that is chosen; ``of`` reads it."""

    name: str = "filmroll"  # of the table, and what the names of queues and groups begin with
    package: str = f"filmroll[aws]=={__version__}"  # what pip installs when a machine starts
    image: str = _AMAZON_LINUX  # the parameter of Systems Manager that names the machine image
    certificate: str = ""  # ARN; with one the balancer speaks HTTPS
    public_url: str = ""  # FILMROLL_PUBLIC_URL
    nat_gateways: int = 2  # 0: machines in public subnets, with addresses of their own
    upload_apis: Size = _UPLOAD_APIS
    download_apis: Size = _DOWNLOAD_APIS
    workers: Size = _WORKERS
    variant_days: int = 30  # after which a variant goes; whoever asks for it has it made again
    archive_days: int = 30  # after which an original goes to Glacier Instant Retrieval
    alarm_email: str = ""  # who is told of alarms
    session_manager: bool = False  # whether people may open a shell on the machines

    @classmethod
    def of(cls, scope: Construct) -> Self:
        """Read the context; ValueError names every fault at once."""
        values: dict[str, Any] = {}
        faults = []
        for field in fields(cls):
            given = scope.node.try_get_context(field.name)
            if given is None:
                continue
            try:
                # A field's type is typed as a class or its name; here it is the class.
                values[field.name] = _READ[field.type](given)  # type: ignore[index]
            except ValueError as fault:
                faults.append(f"{field.name}: {fault}, not {given!r}")
        if not faults:
            options = cls(**values)
            faults = options._faults()
            if not faults:
                return options
        raise ValueError("\n".join(faults))

    def _faults(self) -> list[str]:
        faults = []
        if not re.fullmatch(r"[a-z][a-z0-9-]{1,19}", self.name):
            faults.append("name: must be 2 to 20 small letters, digits or hyphens")
        if self.certificate and not self.public_url.startswith("https://"):
            faults.append("public_url: must be https://… with the name that certificate is for")
        if self.nat_gateways < 0:
            faults.append("nat_gateways: must be 0 or more")
        if min(self.variant_days, self.archive_days) < 1:
            faults.append("variant_days, archive_days: must be 1 or more")
        return faults


def _size(given: Any) -> Size:
    found = re.fullmatch(r"(\d+)-(\d+)", str(given))
    if not found or not 1 <= int(found[1]) < int(found[2]):  # an update needs one more than least
        raise ValueError("must be like 2-20, at least 1, and more at the most than at least")
    return Size(int(found[1]), int(found[2]))


def _flag(given: Any) -> bool:
    text = str(given).lower()
    if text not in {"true", "false"}:
        raise ValueError("must be true or false")
    return text == "true"


def _number(given: Any) -> int:
    try:
        return int(given)
    except (TypeError, ValueError):
        raise ValueError("must be a whole number") from None


_READ = {str: str, int: _number, bool: _flag, Size: _size}
