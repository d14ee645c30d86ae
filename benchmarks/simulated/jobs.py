"""Jobs as the catalog knows them, messages as the queue does, and the promise that is checked."""

from array import array
from collections import Counter, deque
from math import inf

from benchmarks.simulated.host import Host
from benchmarks.simulated.traffic import Kind

QUEUED, RUNNING, DONE = 0, 1, 2


class Job:
    """A record of the catalog; of a cold variant, only what its client knows."""

    __slots__ = ("attempts", "created", "due", "kind", "lease_until", "number", "started", "state")

    def __init__(self, number: int, kind: Kind, created: float) -> None:
        self.number = number
        self.kind = kind
        self.created = created
        self.state = QUEUED
        self.attempts = 0
        self.lease_until = 0.0
        self.due = 0.0
        self.started = -1.0


class Message:
    """A message of a lane."""

    __slots__ = ("gone", "job", "lane", "receives", "taken_at")

    def __init__(self, job: Job, lane: int) -> None:
        self.job = job
        self.lane = lane
        self.receives = 0
        self.taken_at = 0.0
        self.gone = False  # acknowledged, purged, or dead


class Attempt:
    """A job in the hands of a worker."""

    __slots__ = ("began", "dead", "host", "job", "message", "number")

    def __init__(self, job: Job, host: Host, message: Message | None, began: float) -> None:
        self.job = job
        self.host = host
        self.message = message
        self.number = 0  # the count that this claim came to
        self.began = began
        self.dead = False


class Lane:
    """A queue: what can be taken, and who waits for it."""

    __slots__ = ("hidden", "pollers", "purged_until", "visible")

    def __init__(self) -> None:
        self.visible: deque[Message] = deque()
        self.pollers: deque[Host] = deque()
        self.hidden: set[Message] = set()
        self.purged_until = -inf


class Broken(Exception):
    """The promise was not kept."""


class Tally:
    """Every arrival, and how often it was done."""

    def __init__(self) -> None:
        self.ends = bytearray()  # by a job's number: how often it ended
        self.waits = [array("d") for _ in Kind]  # until the first claim
        self.readies = [array("d") for _ in Kind]
        self.counts: Counter[str] = Counter()
        self.most_attempts = 0

    def arrived(self) -> int:
        """Return the number of a new job."""
        self.ends.append(0)
        return len(self.ends) - 1

    def started(self, job: Job, now: float) -> None:
        """Note a claim."""
        job.attempts += 1
        self.most_attempts = max(self.most_attempts, job.attempts)
        if job.started < 0:
            job.started = now
            self.waits[job.kind].append(now - job.created)

    def ended(self, job: Job, now: float) -> None:
        """Note the end of a job."""
        if self.ends[job.number] < 255:
            self.ends[job.number] += 1
        self.readies[job.kind].append(now - job.created)

    @property
    def lost(self) -> int:
        """How many were acknowledged and never done."""
        return self.ends.count(0)

    @property
    def twice(self) -> int:
        """How many were done more than once."""
        return len(self.ends) - self.ends.count(0) - self.ends.count(1)

    def check(self) -> None:
        """Raise Broken unless every job was done exactly once, and every caller answered."""
        if self.lost or self.twice:
            raise Broken(f"{self.lost:,} jobs lost, {self.twice:,} done twice")
        asked = self.counts["cold"]
        told = len(self.readies[Kind.COLD]) + self.counts["cold given up"]
        if asked != told:
            raise Broken(f"{asked - told:,} callers never got an answer")
