"""docs/webhooks.md names every event, the schedule and the limits as they are."""

import re
from pathlib import Path

from filmroll.model import Event
from filmroll.usecases.housekeeping import DELIVERY_SECONDS
from filmroll.usecases.webhooks import endpoints
from filmroll.usecases.webhooks.sending import PER_ENDPOINT, RETRY_SECONDS

PAGE = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()
UNITS = {"s": 1, "min": 60, "h": 3600}


def test_every_event_has_its_line() -> None:
    rows = re.findall(r"^\| `([a-z.]+)` \|", PAGE, re.MULTILINE)
    assert rows == [event.value for event in Event]


def test_the_schedule_is_published() -> None:
    [row] = re.findall(r"^\| it rests \|(.+)\|$", PAGE, re.MULTILINE)
    cells = [cell.split() for cell in row.split("|")]
    assert tuple(int(number) * UNITS[unit] for number, unit in cells) == RETRY_SECONDS
    assert f"After the {len(RETRY_SECONDS) + 1}th attempt" in PAGE


def test_limits_on_the_page() -> None:
    sizes = endpoints.SECRET_BYTES
    assert f"base64 of {sizes[0]} to {sizes[-1]} bytes" in PAGE
    assert f"At most {endpoints.MAX_ENDPOINTS} webhooks" in PAGE
    assert f"gets up to {PER_ENDPOINT} posts at once" in PAGE
    assert f"keeps what ended for {DELIVERY_SECONDS / 86_400:g} days" in PAGE
