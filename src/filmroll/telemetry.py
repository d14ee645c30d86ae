"""Log lines and metrics: one event a line, with the id of the request it belongs to."""

import logging
import sys
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from filmroll.settings import LogFormat


def configure_logging(format_: LogFormat) -> None:
    """Send all log lines, those of libraries included, to stderr in one format."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: list[Any] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
        if format_ is LogFormat.TEXT
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)


class Metrics:
    """What ``GET /metrics`` shows; one instance per service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "filmroll_requests",
            "Answered requests",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "filmroll_request_duration_seconds",
            "From the first byte of a request to the last of its answer",
            ["route"],
            buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
            registry=self.registry,
        )
        self.in_progress = Gauge(
            "filmroll_requests_in_progress", "Requests under way", registry=self.registry
        )
        self.uploaded_bytes = Counter(
            "filmroll_uploaded_bytes", "Bytes of kept originals", registry=self.registry
        )
        self.jobs = Counter("filmroll_jobs", "Jobs that ended", ["state"], registry=self.registry)
        self.queue_depth = Gauge(
            "filmroll_queue_messages",
            "Messages of the job queue",
            ["lane", "state"],
            registry=self.registry,
        )
