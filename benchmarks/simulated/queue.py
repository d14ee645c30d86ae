"""Lanes as SQS keeps them: leases, deliveries that are counted, dead letters, duplicates."""

from collections.abc import Callable
from random import Random

from benchmarks.simulated.clock import Clock
from benchmarks.simulated.draws import Laws
from benchmarks.simulated.host import Host
from benchmarks.simulated.jobs import DONE, Job, Lane, Message, Tally
from benchmarks.simulated.parameters import Scenario
from filmroll.queues.sqs.calls import BATCH

_BEATS = 3  # in a lease, as worker.py has it


class Queue:
    """All lanes."""

    def __init__(
        self, scenario: Scenario, clock: Clock, tally: Tally, laws: Laws, random: Random
    ) -> None:
        self._safety = scenario.safety
        self._duplicates = scenario.stores.duplicates
        self._clock, self._tally, self._laws, self._random = clock, tally, laws, random
        self.lanes = [Lane() for _ in range(3)]
        self.most_hidden = 0
        self.take: Callable[[Host, Message], None]  # whoever builds the queue says who does

    def send(self, job: Job, lane: int) -> None:
        """Put a message into a lane, once in a while two."""
        if self._clock.now < self.lanes[lane].purged_until:
            self._tally.counts["messages purged"] += 1
            return
        self._give(Message(job, lane))
        if self._random.random() < self._duplicates:
            self._give(Message(job, lane))

    def poll(self, host: Host, lane: int) -> None:
        """Ask for messages once enough hands are free; one question at a time."""
        if host.draining or host.polling[lane] or host.hands[lane] < host.at_once[lane]:
            return
        host.polling[lane] = True
        host.hands[lane] -= host.at_once[lane]
        if self.lanes[lane].visible:
            self._deliver(host, lane)
        else:
            self.lanes[lane].pollers.append(host)

    def acknowledge(self, message: Message) -> None:
        """Remove a message for good."""
        message.gone = True
        self.lanes[message.lane].hidden.discard(message)

    def abandon(self, message: Message) -> None:
        """Leave a message to its lease: nobody beats for it any more."""
        if not self._safety.redelivery:
            self.acknowledge(message)
            return
        lease = self._safety.lease
        beat = lease / _BEATS
        beats = (self._clock.now - message.taken_at) // beat if self._safety.heartbeats else 0
        until = message.taken_at + beats * beat + lease
        self._clock.at(max(until, self._clock.now), self._show, message, message.receives)

    def purge(self, lasts: float) -> None:
        """Lose all messages, those in hand too, and what is sent for a while."""
        for lane in self.lanes:
            lost = [*lane.visible, *lane.hidden]
            for message in lost:
                message.gone = True
            self._tally.counts["messages purged"] += len(lost)
            lane.visible.clear()
            lane.hidden.clear()
            lane.purged_until = self._clock.now + lasts

    def _give(self, message: Message) -> None:
        lane = self.lanes[message.lane]
        lane.visible.append(message)
        while lane.pollers and lane.visible:
            host = lane.pollers.popleft()
            if host.alive and not host.draining:
                self._deliver(host, message.lane)

    def _deliver(self, host: Host, which: int) -> None:
        lane, now = self.lanes[which], self._clock.now
        taken: list[Message] = []
        while lane.visible and len(taken) < min(host.at_once[which], BATCH):
            message = lane.visible.popleft()
            if message.receives >= self._safety.deliveries:
                message.gone = True
                self._tally.counts["dead letters"] += 1
                continue
            message.receives += 1
            message.taken_at = now
            lane.hidden.add(message)
            taken.append(message)
            if not self._safety.heartbeats:
                self._clock.at(now + self._safety.lease, self._show, message, message.receives)
        if not taken:
            lane.pollers.append(host)
            return
        self.most_hidden = max(self.most_hidden, len(lane.hidden))
        self._clock.at(now + self._laws.receive(), self._arrive, host, which, taken)

    def _arrive(self, host: Host, lane: int, taken: list[Message]) -> None:
        if not host.alive:
            for message in taken:
                self.abandon(message)
            return
        host.polling[lane] = False
        host.hands[lane] += host.at_once[lane] - len(taken)
        for message in taken:
            if host.draining:
                self._show(message, message.receives)
            elif message.gone or message.job.state == DONE:
                self.acknowledge(message)
                host.hands[lane] += 1
            else:
                self.take(host, message)
        self.poll(host, lane)

    def _show(self, message: Message, receives: int) -> None:
        """Let a message be seen again, unless it has been taken anew or acknowledged."""
        if message.gone or message.receives != receives:
            return
        lane = self.lanes[message.lane]
        if message in lane.hidden:
            lane.hidden.discard(message)
            self._tally.counts["delivered again"] += 1
            self._give(message)
