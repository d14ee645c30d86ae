"""When work arrives: open loop, whatever the cluster does with it."""

import math
from collections.abc import Callable, Iterator
from enum import IntEnum
from random import Random

from benchmarks.simulated.parameters import DAY, Scenario, Traffic


class Kind(IntEnum):
    """How work comes to a worker."""

    WAITED = 0  # a direct call: the client of an upload waits, its job is written down
    QUEUED = 1  # by the interactive lane
    BULK = 2
    IO = 3
    COLD = 4  # a direct call for a variant; nothing is written down, so nothing can be lost


Arrival = tuple[float, Kind]


def rate_at(traffic: Traffic, moment: float) -> float:
    """Return images a second: a day's swing with its top at the peak, and the peak itself."""
    away = (moment - traffic.peak_at + DAY / 2) % DAY - DAY / 2
    crest = traffic.peak - 1 - traffic.swing
    burst = crest * math.exp(-0.5 * (away / traffic.peak_sigma) ** 2)
    whole = DAY + crest * traffic.peak_sigma * math.sqrt(2 * math.pi)
    shape = 1 + traffic.swing * math.cos(2 * math.pi * away / DAY) + burst
    return traffic.images_a_day * shape / whole


def singles(scenario: Scenario, random: Random) -> Iterator[Arrival]:
    """Yield single uploads and cold variants: a Poisson process whose rate follows the day."""
    traffic = scenario.traffic
    share = scenario.part * (1 + traffic.cold)
    highest = share * rate_at(traffic, traffic.peak_at)

    def rate(moment: float) -> float:
        return share * rate_at(traffic, moment)

    for moment in thinned(rate, highest, scenario.begin, scenario.end, random):
        yield moment, _kind(traffic, random.random())


def thinned(
    rate: Callable[[float], float], highest: float, begin: float, end: float, random: Random
) -> Iterator[float]:
    """Yield the moments of a Poisson process of a varying rate, known for a second at a time."""
    moment, known_until, accept = begin, begin, 1.0
    while True:
        moment += random.expovariate(highest)
        if moment >= end:
            return
        if moment >= known_until:
            known_until = moment + 1
            accept = rate(moment) / highest
        if random.random() < accept:
            yield moment


def bulk(scenario: Scenario) -> Iterator[Arrival]:
    """Yield the items of the batch, in groups as archives are read."""
    traffic, group = scenario.traffic, 64
    items = round(traffic.bulk_items * scenario.part)
    for item in range(items):
        moment = traffic.bulk_at + (item // group) * group / (traffic.bulk_rate * scenario.part)
        if scenario.begin <= moment < scenario.end:
            yield moment, Kind.BULK


def _kind(traffic: Traffic, dice: float) -> Kind:
    dice *= 1 + traffic.cold
    if dice >= 1:
        return Kind.COLD
    if dice < traffic.fetched:
        return Kind.IO
    return Kind.WAITED if dice < traffic.fetched + traffic.waited else Kind.QUEUED
