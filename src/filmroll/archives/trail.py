"""How far an archive was read, and where it is given up."""

from filmroll.archives.items import ArchiveLimits
from filmroll.errors import BrokenArchive

# An honest archive may begin with a long run of something that packs well; from here on it counts.
_GRACE = 16 * 1024 * 1024  # bytes, unpacked


class Trail:
    """One reading of one archive: what was handed out, and the fault that ended it."""

    def __init__(self, limits: ArchiveLimits) -> None:
        self._limits = limits
        self._members = 0
        self._unpacked = 0
        self._last = ""
        self.fault: BrokenArchive | None = None

    def pass_member(self, name: str) -> None:
        """Count a member of whatever kind; raise BrokenArchive if it is one too many."""
        if self._members == self._limits.members:
            raise self.broken(f"There are more than {self._limits.members} members in it.")
        self._members += 1
        self._last = name

    def bound(self, total: int) -> None:
        """Raise BrokenArchive if so many bytes are too many for one archive."""
        if total > self._limits.total_bytes:
            raise self.broken(f"It holds more than {self._limits.total_bytes} bytes.")

    def weigh(self, more: int, packed: int) -> None:
        """Count bytes that came out of ``packed`` ones in all; raise BrokenArchive for a bomb."""
        self._unpacked += more
        self.bound(self._unpacked)
        if self._unpacked > max(_GRACE, packed * self._limits.ratio):
            raise self.broken(f"It unpacks to more than {self._limits.ratio} times its size.")

    def broken(self, what: str) -> BrokenArchive:
        """Return the fault that ends the reading: always the first, for it caused the others."""
        if self.fault is None:
            came = f"{self._members} members came before"
            last = f", the last one {self._last!r}" if self._members else ""
            self.fault = BrokenArchive(f"{what} {came}{last}.", members=self._members)
        return self.fault
