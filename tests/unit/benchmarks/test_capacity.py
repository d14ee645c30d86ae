"""The simulation behind docs/capacity.md: against formulas, and whether its checks can fail."""

import math
from dataclasses import replace
from random import Random
from statistics import fmean

import pytest

from benchmarks.capacity import run
from benchmarks.simulated.cluster import Cluster, Outcome
from benchmarks.simulated.host import BATCHES, PEOPLE, Host, Processors
from benchmarks.simulated.jobs import Attempt, Broken, Job
from benchmarks.simulated.parameters import (
    DAY,
    IMAGES_A_DAY,
    Hosts,
    Latency,
    Mishaps,
    Safety,
    Scaling,
    Scenario,
    Stores,
    Traffic,
    Work,
)
from benchmarks.simulated.traffic import Kind, rate_at, thinned

AT_ONCE = Latency(1e-9, 1e-9)
PEAK = Traffic().peak_at
SMALL = Scenario(
    name="two minutes around the peak, at a twentieth",
    begin=PEAK - 60,
    end=PEAK + 60,
    part=1 / 20,
    hosts_at_first=6,
    seed=7,
    hosts=Hosts(engines=1),
    scaling=Scaling(least=2),
    traffic=Traffic(bulk_items=10_000, bulk_at=PEAK - 30),
)
PURGED = SMALL.but(mishaps=Mishaps(purge_at=PEAK))
BEREFT = SMALL.but(mishaps=Mishaps(spot_at=PEAK, spot_warned=0.0))
DOUBLED = SMALL.but(stores=Stores(duplicates=0.2))


def simulated(scenario: Scenario, **safety: bool) -> Outcome:
    return Cluster(scenario.but(safety=replace(Safety(), **safety))).run()


def alone(engines: int, load: float, work: Work) -> Scenario:
    """One host that nothing but its engines holds up."""
    return Scenario(
        name="alone",
        hosts_at_first=1,
        work=work,
        hosts=Hosts(engines=engines, line=10**9),
        scaling=Scaling(least=1, most=1),
        stores=Stores(get=AT_ONCE, put=AT_ONCE, item=AT_ONCE, receive=AT_ONCE, duplicates=0),
        traffic=Traffic(images_a_day=load),
    )


@pytest.mark.parametrize(("engines", "load"), [(1, 0.7), (4, 0.7)])
def test_time_in_the_system_is_that_of_erlangs_formula(engines, load):
    """With exponential service, how processors are shared changes no mean."""
    quantiles = tuple(-math.log(1 - (n + 0.5) / 2000) for n in range(2000))
    mean = fmean(quantiles)
    rate = load * engines / mean
    moments = thinned(lambda _: rate, rate, 0.0, 30_000 / rate, Random(5))
    arrivals = [(moment, Kind.WAITED) for moment in moments]
    scenario = alone(engines, load, Work(engine=quantiles, loop=0.0, crowding=1.0))
    outcome = Cluster(scenario.but(end=arrivals[-1][0])).run(arrivals)
    outcome.tally.check()
    found = fmean(outcome.tally.readies[Kind.WAITED])
    assert found == pytest.approx(mean * (1 + erlang_wait(engines, load)), rel=0.06)


def erlang_wait(servers: int, load: float) -> float:
    """The mean wait of M/M/c, in service times."""
    offered = servers * load
    terms = [offered**n / math.factorial(n) for n in range(servers)]
    last = offered**servers / math.factorial(servers) / (1 - load)
    return last / (sum(terms) + last) / (servers * (1 - load))


def test_one_event_loop_is_a_queue_with_constant_service():
    """M/D/1: the loop does one thing after the other, however many engines there are."""
    load, service = 0.8, 0.01
    host, rate = Host(Hosts(), 0.0), load / service
    moments = thinned(lambda _: rate, rate, 0.0, 1000.0, Random(3))
    ends = [host.loop(moment, service) - moment for moment in moments]
    wait = load * service / (2 * (1 - load))
    assert fmean(ends) == pytest.approx(service + wait, rel=0.05)


def test_a_day_has_as_many_images_as_it_should_and_the_peak_is_four_times_the_average():
    traffic = Traffic()
    sold = sum(rate_at(traffic, second + 0.5) for second in range(int(DAY)))
    assert sold == pytest.approx(IMAGES_A_DAY, rel=1e-3)
    average = IMAGES_A_DAY / DAY
    assert rate_at(traffic, traffic.peak_at) == pytest.approx(4 * average, rel=0.03)


def test_arrivals_follow_their_rate():
    def rate(moment):
        return 100.0 if moment < 500 else 20.0

    moments = list(thinned(rate, 100.0, 0.0, 1000.0, Random(1)))
    assert sum(moment < 500 for moment in moments) == pytest.approx(50_000, rel=0.02)
    assert sum(moment >= 500 for moment in moments) == pytest.approx(10_000, rel=0.04)


def test_bulk_gets_what_a_low_priority_leaves_it():
    processors = filled(people=5, batches=5)
    processors.advance(10.0)
    share = 335 / (335 + 36)
    people, batches = processors.next_end(), share * 4 * 10
    assert processors.used == pytest.approx(40.0)  # all four, all the time
    assert people is not None
    assert people[1] == PEOPLE
    assert people[0] == pytest.approx(100 / (batches / 50))


def test_a_task_has_one_processor_at_most():
    processors = filled(people=1, batches=5)
    assert processors.next_end() == (pytest.approx(100.0), PEOPLE)
    processors.advance(10.0)
    assert processors.used == pytest.approx(40.0)


def filled(people: int, batches: int) -> Processors:
    processors = Processors(4, Hosts().weights)
    attempt = Attempt(Job(0, Kind.WAITED, 0.0), Host(Hosts(), 0.0), None, 0.0)
    for which, many in ((PEOPLE, people), (BATCHES, batches)):
        for _ in range(many):
            processors.add(which, 100.0, attempt)
    return processors


@pytest.mark.parametrize("scenario", [SMALL, PURGED, BEREFT, DOUBLED])
def test_every_job_ends_exactly_once(scenario):
    outcome = simulated(scenario)
    outcome.tally.check()
    assert len(outcome.tally.ends) > 2_000
    assert outcome.tally.most_attempts <= 2


def test_the_same_seed_gives_the_same_run_and_another_one_another():
    first, again = simulated(BEREFT), simulated(BEREFT)
    assert first.tally.readies == again.tally.readies
    assert first.shown == again.shown
    assert simulated(BEREFT.but(seed=8)).tally.readies != first.tally.readies


@pytest.mark.parametrize(
    ("scenario", "dropped", "complaint"),
    [
        (PURGED, ["sweeper"], "lost"),
        (BEREFT, ["sweeper", "redelivery"], "lost"),
        (DOUBLED, ["leases"], "done twice"),
    ],
)
def test_without_what_keeps_jobs_the_check_fails(scenario, dropped, complaint):
    outcome = simulated(scenario, **dict.fromkeys(dropped, False))
    with pytest.raises(Broken, match=complaint):
        outcome.tally.check()
    assert outcome.tally.twice if complaint == "done twice" else outcome.tally.lost


@pytest.mark.parametrize("dropped", ["sweeper", "redelivery"])
def test_lost_hosts_need_only_one_of_redelivery_and_sweeper_for_what_came_by_the_queue(dropped):
    traffic = replace(SMALL.traffic, waited=0.0)
    outcome = simulated(BEREFT.but(traffic=traffic), **{dropped: False})
    assert outcome.tally.counts["attempts lost with their host"]
    # A message that comes before the catalog's lease is over is dropped: then the sweeper must.
    assert outcome.tally.lost <= (0 if dropped == "redelivery" else 10)


def test_without_heartbeats_long_work_is_begun_twice_but_ends_once():
    slow = SMALL.but(
        end=PEAK - 50, part=1 / 200, work=Work(engine=(40.0,)), safety=Safety(heartbeats=False)
    )
    outcome = Cluster(slow).run()
    outcome.tally.check()
    assert outcome.tally.counts["made in vain"]


def test_who_waits_is_refused_when_the_line_is_full_and_no_upload_is_lost():
    outcome = simulated(
        SMALL.but(
            hosts_at_first=1,
            hosts=Hosts(engines=1, line=2),
            scaling=Scaling(least=1, most=1),
        )
    )
    outcome.tally.check()
    assert outcome.tally.counts["refused with 503"]
    assert outcome.tally.counts["cold given up"]


def test_interactive_work_is_not_stuck_behind_bulk():
    outcome = simulated(SMALL)
    singles = sorted(outcome.tally.readies[Kind.WAITED])
    bulk = sorted(outcome.tally.readies[Kind.BULK])
    assert singles[int(0.95 * len(singles))] < 2
    assert bulk[len(bulk) // 2] > 1


def test_the_report_says_what_came_of_it():
    lines, kept = run(SMALL)
    assert kept
    assert "jobs lost 0, done twice 0: checked" in lines
    lines, kept = run(PURGED.but(safety=Safety(sweeper=False)))
    assert not kept
    assert lines[-1].startswith("BROKEN: ")
