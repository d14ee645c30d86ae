"""Random amounts, drawn beforehand: a law is sampled a few thousand times, then gone through."""

import math
from collections.abc import Callable
from random import Random

from benchmarks.simulated.parameters import Latency, Scenario

_MANY = 8_191  # prime: laws that are used in step with each other meet in ever new pairs
_Z99 = 2.326


class Draws:
    """Amounts of one law, one after the other."""

    def __init__(self, sample: Callable[[], float]) -> None:
        self._amounts = [sample() for _ in range(_MANY)]
        self._next = 0

    def __call__(self) -> float:
        self._next = (self._next + 1) % _MANY
        return self._amounts[self._next]


class Laws:
    """What a job waits for at each step, as the worker's code goes through them."""

    def __init__(self, scenario: Scenario, random: Random) -> None:
        stores, work = scenario.stores, scenario.work
        item, get, put = (_law(one, random) for one in (stores.item, stores.get, stores.put))
        receive = _law(stores.receive, random)
        self.send = Draws(receive)
        self.receive = Draws(receive)
        self.claim = Draws(item)
        self.claim_bulk = Draws(lambda: item() + item())  # and errands.called_off
        self.open = Draws(get)
        # The variants are written side by side; then finish_job.
        self.keep = Draws(lambda: max(put(), put(), put()) + item())
        self.fetch = Draws(lambda: random.lognormvariate(math.log(0.5), 1.0) + put())
        # The loop runs on the same processors: what it takes of them, the engines have not.
        self.engine = Draws(lambda: random.choice(work.engine) * work.crowding + work.loop)


def _law(latency: Latency, random: Random) -> Callable[[], float]:
    mu, sigma = math.log(latency.median), math.log(latency.p99 / latency.median) / _Z99
    return lambda: random.lognormvariate(mu, sigma)
