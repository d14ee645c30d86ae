"""What the simulation is told, each number with where it comes from.

[code] is a constant of Filmroll, imported where it can be; [measured] on this machine by
``benchmarks.simulated.measured``; [published] by the provider, taken at its slow end; [assumed] is
nobody's number but ours: change it and run again.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from filmroll.usecases.outbox import OVERDUE_SECONDS, RESEND_SECONDS
from filmroll.usecases.process import LEASE_SECONDS
from filmroll.wiring.remote import MAX_ATTEMPTS
from filmroll.worker import SWEEP_SECONDS

IMAGES_A_DAY = 10_000_000
DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Latency:
    """A store's answer, in seconds: a lognormal law by its median and 99th percentile."""

    median: float
    p99: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Stores:
    """How long the stores take, seen from a worker in the same region."""

    # [published] AWS gives 100 to 200 ms for small objects; most measurements find 20 to 60.
    get: Latency = Latency(0.100, 0.250)
    put: Latency = Latency(0.100, 0.250)
    # [published] "single-digit milliseconds"; the tail is assumed.
    item: Latency = Latency(0.009, 0.030)
    # [published] between under 10 ms and "5 to 50 messages per second" of one client.
    receive: Latency = Latency(0.020, 0.100)
    duplicates: float = 1e-4  # [assumed] messages that a standard queue delivers twice


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What one job needs of a worker, in seconds of a processor."""

    # [measured] one decode, three variants, in the engine's own processes; drawn from at random
    engine: tuple[float, ...] = (0.057,)
    # [measured] the worker's event loop: the calls to the stores
    loop: float = 0.012
    # [measured, docs/benchmarks.md] a picture costs a fifth more on a machine that others keep busy
    crowding: float = 1.2


@dataclass(frozen=True, kw_only=True, slots=True)
class Traffic:
    """Who sends what."""

    images_a_day: float = IMAGES_A_DAY
    peak: float = 4.0  # [assumed] times the average
    peak_at: float = 20 * 3600.0  # [assumed] of the day
    peak_sigma: float = 300.0  # [assumed] from 1.6 to 4 times the average in a quarter of an hour
    swing: float = 0.6  # [assumed] of the day's curve around its average
    waited: float = 0.5  # [assumed] uploads whose client waits for the variants
    fetched: float = 0.01  # [assumed] images that come by URL: a job of the io lane before
    cold: float = 0.1  # [assumed] variants asked for that nobody made, for each upload
    bulk_items: int = 100_000
    bulk_at: float = 20 * 3600.0 - 120  # the worst moment: most of it is there at the peak
    bulk_rate: float = 1_000.0  # [assumed] items a second: 300 KB each need 2.4 Gb/s
    retries: int = 5  # [assumed] times that a client comes again after a 503


@dataclass(frozen=True, kw_only=True, slots=True)
class Hosts:
    """A worker as wiring and worker.py make it."""

    engines: int = 4  # [assumed] processors of a host, one worker process on it
    line: int = 64  # [code] settings.waiting_line
    hands_factor: int = 1  # 1 is the code as it is
    batch_interactive: int = 1  # [code] messages that the interactive lane takes at once
    weights: tuple[float, float] = (335.0, 36.0)  # the kernel's for niceness 5 and 15
    drain: float = 30.0  # [code] settings.drain_seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Scaling:
    """Hosts added by backlog and by use of processors, as target tracking does it."""

    least: int = 4
    most: int = 60
    period: float = 60.0  # [published] one-minute metrics
    late: float = 60.0  # [assumed] between a moment and the metric that tells of it
    cooldown: float = 60.0
    boot: tuple[float, float] = (120.0, 240.0)
    use: float = 0.6  # of processors that is aimed at
    interactive_each: int = 200  # messages that wait, per host
    bulk_each: int = 3_000
    idle_periods: int = 15  # [published] of low use before one host is let go


@dataclass(frozen=True, kw_only=True, slots=True)
class Safety:
    """What keeps jobs: [code]. Each can be dropped, to see that the checks notice."""

    sweeper: bool = True
    redelivery: bool = True  # a message whose lease ended is seen again
    leases: bool = True  # a job is claimed by one worker, and only that one may end it
    heartbeats: bool = True
    lease: float = LEASE_SECONDS
    sweep: float = SWEEP_SECONDS
    overdue: float = OVERDUE_SECONDS
    resend: float = RESEND_SECONDS
    deliveries: int = MAX_ATTEMPTS


@dataclass(frozen=True, kw_only=True, slots=True)
class Mishaps:
    """What goes wrong, and when. None: it does not."""

    spot_at: float | None = None
    spot_share: float = 0.5  # of the hosts
    spot_warned: float = 0.5  # of those: with two minutes' notice
    purge_at: float | None = None
    purge_lasts: float = 60.0  # [published] what is sent meanwhile may go, too


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """One run."""

    name: str
    begin: float = 0.0
    end: float = DAY  # no arrivals after; the run goes on until all is done
    patience: float = 3_600.0  # so long; what is not done then is lost
    part: float = 1.0  # of all traffic
    hosts_at_first: int = 8
    seed: int = 1
    stores: Stores = field(default_factory=Stores)
    work: Work = field(default_factory=Work)
    traffic: Traffic = field(default_factory=Traffic)
    hosts: Hosts = field(default_factory=Hosts)
    scaling: Scaling = field(default_factory=Scaling)
    safety: Safety = field(default_factory=Safety)
    mishaps: Mishaps = field(default_factory=Mishaps)

    def but(self, **changes: Any) -> "Scenario":
        """Return it with something changed."""
        return replace(self, **changes)
