"""The workers at their work: a run of one scenario.

What is simulated follows worker.py, usecases/process.py, usecases/render.py and the adapters step
by step; the parameters name what is simpler here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from random import Random

from benchmarks.simulated.clock import Clock
from benchmarks.simulated.draws import Laws
from benchmarks.simulated.host import BATCHES, BULK, INTERACTIVE, IO, PEOPLE, Host
from benchmarks.simulated.jobs import DONE, RUNNING, Attempt, Job, Message, Tally
from benchmarks.simulated.outbox import Outbox
from benchmarks.simulated.parameters import Scenario
from benchmarks.simulated.queue import Queue
from benchmarks.simulated.scaling import Fleet, Seen
from benchmarks.simulated.traffic import Arrival, Kind, bulk, singles
from filmroll.worker import _RELEASE_SECONDS

_LANES = {Kind.WAITED: INTERACTIVE, Kind.QUEUED: INTERACTIVE, Kind.BULK: BULK, Kind.IO: IO}
_SHOWN = 40  # looks at the cluster until its last arrival
_RETRY_SECONDS = 1.0  # what a 503 says


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a scenario."""

    scenario: Scenario
    tally: Tally
    shown: list[Seen]
    most_hidden: int
    ended: float
    events: int


class Cluster:
    """Everything together."""

    def __init__(self, scenario: Scenario) -> None:
        random = Random(scenario.seed)
        self._scenario, self._random = scenario, random
        self._clock = Clock(scenario.begin)
        self._tally = Tally()
        self._laws = Laws(scenario, random)
        self._half = scenario.work.loop / 2  # of what a job needs of the event loop
        self._queue = Queue(scenario, self._clock, self._tally, self._laws, random)
        self._queue.take = self._take
        counts = self._tally.counts
        self._outbox = Outbox(scenario.safety, self._clock, counts, self._send)
        self._fleet = Fleet(
            scenario, self._clock, self._queue, random, begin=self._joined, end=self._gone
        )
        self._open = 0  # jobs and callers that wait for their end

    def run(self, arrivals: list[Arrival] | None = None) -> Outcome:
        """Let all arrivals come, and what they set off; ``arrivals`` stand in for the traffic's."""
        scenario, mishaps = self._scenario, self._scenario.mishaps
        self._fleet.start(scenario.hosts_at_first)
        every = (scenario.end - scenario.begin) / _SHOWN
        self._clock.at(scenario.begin + every, self._fleet.show, every)
        if mishaps.spot_at is not None:
            self._clock.at(
                mishaps.spot_at, self._fleet.take_away, mishaps.spot_share, mishaps.spot_warned
            )
        if mishaps.purge_at is not None:
            self._clock.at(mishaps.purge_at, self._queue.purge, mishaps.purge_lasts)
        coming = iter(arrivals) if arrivals is not None else _traffic(scenario, self._random)
        end = scenario.end + scenario.patience
        self._clock.run(coming, self._arrive, lambda: not self._open, end)
        return Outcome(
            scenario, self._tally, self._fleet.shown, self._queue.most_hidden,
            min(self._clock.now, end), self._clock.planned,
        )  # fmt: skip

    def _arrive(self, moment: float, kind: Kind) -> None:
        self._open += 1
        if kind is Kind.COLD:
            self._tally.counts["cold"] += 1
            self._call(Job(-1, kind, moment))
            return
        job = Job(self._tally.arrived(), kind, moment)
        self._outbox.add(job)
        if kind is Kind.WAITED:
            self._call(job)
        else:
            # Written down a moment before: what arrives here is the message.
            job.created -= self._laws.send()
            self._send(job)

    def _send(self, job: Job) -> None:
        self._queue.send(job, _LANES[job.kind])

    def _call(self, job: Job) -> None:
        """Call a worker directly: the one with the fewest calls, as the load balancer does."""
        ready = [host for host in self._fleet.hosts if not host.draining]
        host = min(ready, key=_calls) if ready else None
        if host is None or host.full(self._scenario.hosts.line):
            self._refused(job)
            return
        host.called += 1
        attempt = Attempt(job, host, None, self._clock.now)
        host.attempts.add(attempt)
        self._begin(attempt)

    def _refused(self, job: Job) -> None:
        """503 to a caller: an upload's job goes to the queue, who wants a variant comes again."""
        self._tally.counts["refused with 503"] += 1
        if job.kind is not Kind.COLD:
            self._clock.at(self._clock.now + self._laws.send(), self._send, job)
        elif job.attempts < self._scenario.traffic.retries:
            job.attempts += 1
            self._clock.at(self._clock.now + _RETRY_SECONDS, self._call, job)
        else:
            self._tally.counts["cold given up"] += 1
            self._open -= 1

    def _take(self, host: Host, message: Message) -> None:
        attempt = Attempt(message.job, host, message, self._clock.now)
        host.attempts.add(attempt)
        self._begin(attempt)

    def _begin(self, attempt: Attempt) -> None:
        """Claim the job, if it is to be had, and go for its original."""
        host, job, now = attempt.host, attempt.job, self._clock.now
        if attempt.dead:
            return
        people = job.kind is Kind.WAITED or job.kind is Kind.QUEUED
        if people and attempt.message and host.full(self._scenario.hosts.line):
            self._clock.at(now + _RELEASE_SECONDS, self._begin, attempt)
            return
        claim = self._laws.claim_bulk if job.kind is Kind.BULK else self._laws.claim
        claimed_at = host.loop(now, self._half) + claim()
        if job.kind is Kind.COLD:
            pass
        elif job.state == DONE or self._held(job, claimed_at):
            self._tally.counts["found done, or in other hands"] += 1
            self._let_go(attempt)
            return
        else:
            self._claim(attempt, claimed_at)
        if job.kind is Kind.IO:
            self._clock.at(claimed_at + self._laws.fetch(), self._finish, attempt)
        else:
            self._clock.at(claimed_at + self._laws.open(), self._ready, attempt)

    def _held(self, job: Job, now: float) -> bool:
        return self._scenario.safety.leases and job.state == RUNNING and job.lease_until > now

    def _claim(self, attempt: Attempt, at: float) -> None:
        job, safety = attempt.job, self._scenario.safety
        self._tally.started(job, at)
        job.state = RUNNING
        attempt.began, attempt.number = at, job.attempts
        # As long as its worker lives, a lease is extended in time.
        job.lease_until = float("inf") if safety.heartbeats else at + safety.lease

    def _ready(self, attempt: Attempt) -> None:
        """Have the original; wait for a slot."""
        if attempt.dead:
            return
        host, which = attempt.host, BATCHES if attempt.job.kind is Kind.BULK else PEOPLE
        if not host.free[which]:
            host.waiting[which].append(attempt)
            return
        host.free[which] -= 1
        host.processors.advance(self._clock.now)
        host.processors.add(which, self._laws.engine(), attempt)
        host.foresee(self._clock.at, self._made)

    def _made(self, host: Host, which: int, version: int) -> None:
        """Pass the slot on; keep the variants."""
        if version != host.version or not host.alive:
            return
        now = self._clock.now
        host.processors.advance(now)
        attempt = host.processors.finish(which)
        if host.waiting[which]:
            host.processors.add(which, self._laws.engine(), host.waiting[which].popleft())
        else:
            host.free[which] += 1
        host.foresee(self._clock.at, self._made)
        kept_at = host.loop(now, self._half) + self._laws.keep()
        self._clock.at(kept_at, self._finish, attempt)

    def _finish(self, attempt: Attempt) -> None:
        """End the job, if it is still this attempt's to end; then let the message go."""
        if attempt.dead:
            return
        job, now = attempt.job, self._clock.now
        if job.kind is Kind.COLD:
            self._tally.waits[Kind.COLD].append(attempt.began - job.created)
            self._tally.readies[Kind.COLD].append(now - job.created)
            self._open -= 1
        elif not self._scenario.safety.leases or (
            job.state == RUNNING and job.attempts == attempt.number
        ):
            self._end(job)
        else:
            self._tally.counts["made in vain"] += 1
        self._let_go(attempt)

    def _end(self, job: Job) -> None:
        self._open -= job.state != DONE
        job.state = DONE
        self._tally.ended(job, self._clock.now)
        if job.kind is Kind.IO:
            self._arrive(self._clock.now, Kind.QUEUED)

    def _let_go(self, attempt: Attempt) -> None:
        host, message = attempt.host, attempt.message
        host.attempts.discard(attempt)
        if message is None:
            host.called -= 1
            return
        self._queue.acknowledge(message)
        host.hands[message.lane] += 1
        self._queue.poll(host, message.lane)

    def _joined(self, host: Host) -> None:
        self._outbox.begin(host, self._random.uniform(0, self._scenario.safety.sweep))
        for lane in (INTERACTIVE, BULK, IO):
            self._queue.poll(host, lane)

    def _gone(self, host: Host) -> None:
        """Leave what a host had in hand to the leases; nobody beats for it any more."""
        now, safety = self._clock.now, self._scenario.safety
        beat = safety.lease / 3
        for attempt in sorted(host.attempts, key=lambda one: one.job.number):
            attempt.dead = True
            job = attempt.job
            if job.kind is Kind.COLD:
                self._clock.at(now + _RETRY_SECONDS, self._call, job)
            elif job.state == RUNNING and job.attempts == attempt.number:
                beats = max(0, (now - attempt.began) // beat) if safety.heartbeats else 0
                job.lease_until = attempt.began + beats * beat + safety.lease
                self._tally.counts["attempts lost with their host"] += 1
            if attempt.message is not None:
                self._queue.abandon(attempt.message)
        host.attempts.clear()


def _traffic(scenario: Scenario, random: Random) -> Iterator[Arrival]:
    return merge(singles(scenario, Random(random.random())), bulk(scenario))


def _calls(host: Host) -> int:
    return host.called
