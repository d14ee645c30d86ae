"""The three roles as they run here: ports, and how long they take to leave."""

from dataclasses import dataclass

from filmroll.settings import Role


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployed:
    """A role on machines of its own."""

    role: Role
    id: str  # in names of constructs
    port: int
    public: bool  # whether the outer balancer leads to it
    drain: int  # s, FILMROLL_DRAIN_SECONDS

    @property
    def deregistration(self) -> int:
        """Return for how many seconds the balancer lets requests end: longer than the drain."""
        return self.drain + 15

    @property
    def leaving(self) -> int:
        """Return how many seconds a stop may take: requests first, then jobs, each a drain."""
        return 2 * self.drain + 15


UPLOAD = Deployed(role=Role.UPLOAD, id="UploadApi", port=8001, public=True, drain=120)
DOWNLOAD = Deployed(role=Role.DOWNLOAD, id="DownloadApi", port=8002, public=True, drain=120)
# A Spot machine is told two minutes ahead.
WORKER = Deployed(role=Role.WORKER, id="Worker", port=8003, public=False, drain=30)
ROLES = (UPLOAD, DOWNLOAD, WORKER)
