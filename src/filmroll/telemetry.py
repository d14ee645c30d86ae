"""Log lines and metrics: one event a line, with the id of the request it belongs to."""

import asyncio
import logging
import os
import sys
from contextlib import suppress
from typing import Any, TextIO

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from pydantic_core import to_json

from filmroll.settings import LogFormat


def configure_logging(format_: LogFormat) -> None:
    """Send all log lines, those of libraries included, to stderr in one format."""
    shared: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: list[Any] = (
        [
            # Plain tracebacks: the pretty ones show local variables, and with them secrets.
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
        if format_ is LogFormat.TEXT
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(_to_json)]
    )
    lines = _Lines(sys.stderr)
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
    )
    handler = _Forwarding(lines)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)


class _Forwarding(logging.Handler):
    """Puts the lines of the standard library's loggers among ours."""

    def __init__(self, lines: "_Lines") -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record."""
        self._lines.msg(self.format(record))


def _to_json(event: Any, **_: Any) -> str:
    return to_json(event, fallback=str).decode()


class _Lines:
    """A logger that collects the lines of one turn of the event loop and writes them in one go.

    A write for each would give the interpreter's lock away as often.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._lines: list[str] = []

    def msg(self, line: str) -> None:
        """Take a line; without an event loop it is written at once."""
        self._lines.append(line)
        if len(self._lines) == 1:
            try:
                asyncio.get_running_loop().call_soon(self._write)
            except RuntimeError:
                self._write()

    debug = info = warning = error = critical = exception = msg

    def _write(self) -> None:
        lines, self._lines = self._lines, []
        # To the descriptor: what a buffer still held would be tried again, and fail, at the end.
        with suppress(OSError):  # a full disk may hold the log, too: lines are lost, no work is
            os.write(self._file.fileno(), "\n".join([*lines, ""]).encode("utf-8", "replace"))


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
        self._answers: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; the counters are looked up once for each kind."""
        kind = (method, route, status)
        if kind not in self._answers:
            self._answers[kind] = (
                self.requests.labels(method, route, status),
                self.seconds.labels(route),
            )
        count, duration = self._answers[kind]
        count.inc()
        duration.observe(seconds)
