"""A worker's host: engines of two priorities that share its processors, and one event loop."""

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from benchmarks.simulated.parameters import Hosts
from filmroll.worker import _IO_HANDS

if TYPE_CHECKING:
    from benchmarks.simulated.jobs import Attempt

PEOPLE, BATCHES = 0, 1  # classes of engines
INTERACTIVE, BULK, IO = 0, 1, 2  # lanes


class Processors:
    """Tasks of two classes on a few processors, as the kernel's scheduler shares them out.

    A task runs on one processor at most. Each class has a clock that runs as fast as its tasks do;
    so a change of pace touches two clocks, however many tasks there are.
    """

    def __init__(self, count: int, weights: tuple[float, float]) -> None:
        self.count = count
        self._weights = weights
        self._tasks: tuple[list[tuple[float, int, Attempt]], ...] = ([], [])
        self._clocks = [0.0, 0.0]
        self._paces = [1.0, 1.0]
        self._at = 0.0
        self._serial = 0
        self.used = 0.0  # seconds of a processor

    def advance(self, now: float) -> None:
        """Let time pass."""
        since = now - self._at
        if since > 0:
            self._at = now
            people, batches = self._paces
            self._clocks[0] += since * people
            self._clocks[1] += since * batches
            self.used += since * (len(self._tasks[0]) * people + len(self._tasks[1]) * batches)

    def add(self, which: int, seconds: float, attempt: "Attempt") -> None:
        """Begin a task; ``advance`` first."""
        self._serial += 1
        heappush(self._tasks[which], (self._clocks[which] + seconds, self._serial, attempt))
        self._share()

    def finish(self, which: int) -> "Attempt":
        """End the task of a class that comes to its end first."""
        attempt = heappop(self._tasks[which])[2]
        self._share()
        return attempt

    def next_end(self) -> tuple[float, int] | None:
        """Return when the next task ends if nothing changes, and of which class it is."""
        ends = [
            (self._at + max(0.0, tasks[0][0] - self._clocks[which]) / self._paces[which], which)
            for which, tasks in enumerate(self._tasks)
            if tasks
        ]
        return min(ends) if ends else None

    def _share(self) -> None:
        people, batches = len(self._tasks[0]), len(self._tasks[1])
        if people + batches <= self.count:
            self._paces = [1.0, 1.0]
            return
        mine, theirs = self._weights
        each = self.count / (people * mine + batches * theirs)
        if each * mine < 1:
            self._paces = [each * mine, min(1.0, each * theirs)]
        else:  # a task has one processor, no more: the rest is for the others
            self._paces = [1.0, (self.count - people) / max(batches, 1)]


class Host:
    """One worker."""

    def __init__(self, shape: Hosts, now: float) -> None:
        engines = shape.engines
        self.processors = Processors(engines, shape.weights)
        self.processors.advance(now)
        self.alive = True
        self.draining = False
        self.free = [engines + 1, engines + 1]  # slots, as wiring/processing.py gives them
        self.waiting: tuple[deque[Attempt], deque[Attempt]] = (deque(), deque())
        factor = shape.hands_factor
        self.hands = [2 * engines * factor, 4 * engines * factor, _IO_HANDS]
        self.at_once = [shape.batch_interactive, 2 * engines, 1]
        self.polling = [False, False, False]
        self.called = 0  # direct calls under way: what the load balancer counts
        self.attempts: set[Attempt] = set()
        self.loop_free = now
        self.version = 0  # of the end that is foreseen
        self.used_before = self.used_shown = 0.0

    def full(self, line: int) -> bool:
        """Whether a person who waits is refused."""
        return not self.free[PEOPLE] and len(self.waiting[PEOPLE]) >= line

    def loop(self, now: float, seconds: float) -> float:
        """Have the event loop work; return when it is done, one thing after the other."""
        self.loop_free = max(self.loop_free, now) + seconds
        return self.loop_free

    def foresee(self, schedule: Callable[..., None], end: Callable[..., None]) -> None:
        """Note when the next engine will be done; what was foreseen before does not hold."""
        self.version += 1
        found = self.processors.next_end()
        if found is not None:
            schedule(found[0], end, self, found[1], self.version)
