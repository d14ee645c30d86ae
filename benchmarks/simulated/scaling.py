"""How many hosts there are: what is wanted, what boots, what is let go."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from benchmarks.simulated.clock import Clock
from benchmarks.simulated.host import BULK, INTERACTIVE, Host
from benchmarks.simulated.parameters import Scenario
from benchmarks.simulated.queue import Queue


@dataclass(frozen=True, slots=True)
class Seen:
    """The cluster at one moment."""

    at: float
    interactive: int  # messages that wait
    bulk: int
    hosts: int
    use: float  # of processors, since the last look


class Fleet:
    """The hosts, and what adds and removes them."""

    def __init__(
        self,
        scenario: Scenario,
        clock: Clock,
        queue: Queue,
        random: Random,
        *,
        begin: Callable[[Host], None],
        end: Callable[[Host], None],
    ) -> None:
        """``begin`` and ``end`` are told of each host that starts to work, or is gone."""
        self._shape, self._law = scenario.hosts, scenario.scaling
        self._clock, self._queue, self._random = clock, queue, random
        self._begin, self._end = begin, end
        self.hosts: list[Host] = []
        self.seen: list[Seen] = []  # once a period: what decides
        self.shown: list[Seen] = []  # more often: what is drawn
        self._booting = 0
        self._quiet_until = 0.0
        self._idle = 0

    def start(self, many: int) -> None:
        """Have hosts working, and look at them from now on."""
        for _ in range(many):
            self._join()
        self._clock.at(self._clock.now + self._law.period, self._decide)

    def show(self, every: float) -> None:
        """Note how things stand, from now on."""
        self.shown.append(self._look(every, shown=True))
        self._clock.at(self._clock.now + every, self.show, every)

    def launch(self, many: int) -> None:
        """Boot hosts."""
        self._booting += many
        for _ in range(many):
            self._clock.at(self._clock.now + self._random.uniform(*self._law.boot), self._booted)

    def drain(self, host: Host) -> None:
        """Let a host take nothing new, finish what it has, and go."""
        host.draining = True
        self._clock.at(self._clock.now + self._shape.drain, self.kill, host)

    def kill(self, host: Host) -> None:
        """Take a host away, whatever it has in hand."""
        if host.alive:
            host.alive, host.draining = False, True
            self.hosts.remove(host)
            self._end(host)

    def take_away(self, share: float, warned: float) -> None:
        """Lose hosts of the spot market; the group replaces them."""
        lost = self._random.sample(self.hosts, round(len(self.hosts) * share))
        told = round(len(lost) * warned)
        for host in lost[:told]:
            self.drain(host)
        for host in lost[told:]:
            self.kill(host)
        self.launch(told)
        self._clock.at(self._clock.now + self._law.period, self.launch, len(lost) - told)

    def _booted(self) -> None:
        self._booting -= 1
        self._join()

    def _join(self) -> None:
        host = Host(self._shape, self._clock.now)
        self.hosts.append(host)
        self._begin(host)

    def _decide(self) -> None:
        law, now = self._law, self._clock.now
        self.seen.append(self._look(law.period))
        known = [one for one in self.seen if one.at <= now - law.late]
        if known:
            self._follow(self._wanted(known[-1]))
        self._clock.at(now + law.period, self._decide)

    def _look(self, since: float, *, shown: bool = False) -> Seen:
        before = "used_shown" if shown else "used_before"
        use = 0.0
        for host in self.hosts:
            host.processors.advance(self._clock.now)
            use += host.processors.used - getattr(host, before)
            setattr(host, before, host.processors.used)
        there = len(self.hosts) * self._shape.engines * since
        waiting = [len(lane.visible) for lane in self._queue.lanes]
        return Seen(
            at=self._clock.now,
            interactive=waiting[INTERACTIVE],
            bulk=waiting[BULK],
            hosts=len(self.hosts),
            use=use / there if there else 0.0,
        )

    def _wanted(self, seen: Seen) -> int:
        law = self._law
        wanted = max(
            seen.hosts * seen.use / law.use,
            seen.interactive / law.interactive_each,
            seen.bulk / law.bulk_each,
        )
        return min(max(math.ceil(wanted), law.least), law.most)

    def _follow(self, wanted: int) -> None:
        law, now = self._law, self._clock.now
        working = [host for host in self.hosts if not host.draining]
        there = len(working) + self._booting
        self._idle = self._idle + 1 if wanted < there else 0
        if wanted > there and now >= self._quiet_until:
            self.launch(wanted - there)
            self._quiet_until = now + law.cooldown
        elif self._idle >= law.idle_periods and working:
            self._idle = law.idle_periods - 3
            self.drain(min(working, key=lambda host: len(host.attempts)))
