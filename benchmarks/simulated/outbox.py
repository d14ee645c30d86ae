"""The index of what is due, and the sweeper of each worker that goes through it."""

from collections import Counter, deque
from collections.abc import Callable
from heapq import heappop, heappush

from benchmarks.simulated.clock import Clock
from benchmarks.simulated.host import Host
from benchmarks.simulated.jobs import DONE, RUNNING, Job
from benchmarks.simulated.parameters import Safety
from filmroll.usecases.housekeeping import _BATCH


class Outbox:
    """Jobs by the time from which on they are to be looked at.

    As in the catalog, a claim leaves a job where it stands; who looks puts right what is wrong.
    """

    def __init__(
        self, safety: Safety, clock: Clock, counts: Counter[str], resend: Callable[[Job], None]
    ) -> None:
        self._safety, self._clock, self._counts, self._resend = safety, clock, counts, resend
        self._fresh: deque[tuple[float, Job]] = deque()  # all come due after the same time
        self._moved: list[tuple[float, int, Job]] = []

    def add(self, job: Job) -> None:
        """Write a new job down."""
        self._fresh.append((self._clock.now + self._safety.overdue, job))

    def begin(self, host: Host, offset: float) -> None:
        """Have a worker sweep from now on."""
        if self._safety.sweeper:
            self._clock.at(self._clock.now + offset, self._sweep, host)

    def _sweep(self, host: Host) -> None:
        if host.draining:
            return
        found = 0
        while found < _BATCH and (job := self._next()) is not None:
            found += self._look(job)
        self._clock.at(self._clock.now + self._safety.sweep, self._sweep, host)

    def _next(self) -> Job | None:
        now = self._clock.now
        if self._fresh and self._fresh[0][0] <= now:
            return self._fresh.popleft()[1]
        if self._moved and self._moved[0][0] <= now:
            return heappop(self._moved)[2]
        return None

    def _look(self, job: Job) -> bool:
        """Send a job that nobody works on; return whether it was to be sent."""
        now = self._clock.now
        if job.state == DONE:
            return False
        if job.state == RUNNING and job.lease_until > now:
            self._move(job, min(job.lease_until, now + self._safety.lease))
            return False
        self._counts["sent again by the sweeper"] += 1
        self._resend(job)
        self._move(job, now + self._safety.resend)
        return True

    def _move(self, job: Job, due: float) -> None:
        heappush(self._moved, (due, job.number, job))
