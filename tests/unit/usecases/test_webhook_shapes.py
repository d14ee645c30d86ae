"""Posts in another service's own form."""

import json

import h11
import pytest

from filmroll.catalog.tombstones import FRESH_SECONDS
from filmroll.errors import InvalidRequest
from filmroll.model import Endpoint, Event, WebhookDelivery
from filmroll.usecases.images import PURGE_AFTER_SECONDS
from filmroll.usecases.webhooks import shaping
from filmroll.usecases.webhooks.events import PURGE_DELAY_SECONDS, image_deleted, preset_changed
from filmroll.worker import SWEEP_SECONDS

PURGES = (Event.IMAGE_DELETED, Event.PRESET_CHANGED)


def told(happened) -> WebhookDelivery:
    return WebhookDelivery(
        id="d",
        endpoint="e",
        event=happened.event,
        body=happened.body(1.0),
        created_at=1.0,
        due_at=1.0,
    )


def endpoint(**fields) -> Endpoint:
    return Endpoint(id="e", url="https://cdn.example", secret="", created_at=1.0, **fields)


@pytest.mark.parametrize(
    ("happened", "tag"),
    [(image_deleted("abc"), "abc"), (preset_changed("thumb", None), "preset-thumb")],
)
def test_the_tag_stands_where_it_is_wanted(happened, tag) -> None:
    shaped = endpoint(headers={"surrogate-key": "{tag}", "key": "k"}, body='{"tags":["{tag}"]}')
    assert shaping.headers_of(shaped, told(happened)) == {"surrogate-key": tag, "key": "k"}
    assert json.loads(shaping.body_of(shaped, told(happened))) == {"tags": [tag]}


def test_without_a_form_of_its_own_the_event_is_posted() -> None:
    delivery = told(image_deleted("abc"))
    assert shaping.body_of(endpoint(), delivery) == delivery.body
    assert shaping.body_of(endpoint(body=""), delivery) == ""


def test_caches_are_purged_after_every_machine_has_forgotten() -> None:
    assert PURGE_DELAY_SECONDS > FRESH_SECONDS
    assert PURGE_DELAY_SECONDS > PURGE_AFTER_SECONDS + SWEEP_SECONDS


@pytest.mark.parametrize(
    ("headers", "body", "events", "pointer"),
    [
        ({"host": "elsewhere"}, None, PURGES, "/headers/host"),
        ({"Webhook-Id": "1"}, None, PURGES, "/headers/Webhook-Id"),
        ({"content-length": "1"}, None, PURGES, "/headers/content-length"),
        ({"a b": "1"}, None, PURGES, "/headers/a b"),
        ({"": "1"}, None, PURGES, "/headers/"),
        ({"a": "1\r\nb: 2"}, None, PURGES, "/headers/a"),
        ({"a": "ü"}, None, PURGES, "/headers/a"),
        ({"a": " x"}, None, PURGES, "/headers/a"),
        ({"a": "x "}, None, PURGES, "/headers/a"),
        ({"a": " "}, None, PURGES, "/headers/a"),
        ({"a": "x" * 2049}, None, PURGES, "/headers/a"),
        ({f"a{n}": "x" for n in range(17)}, None, PURGES, "/headers"),
        ({}, "x" * 4097, PURGES, "/body"),
        ({}, "\ud800", PURGES, "/body"),
        ({}, "{tag}", None, "/events"),
        ({"a": "{tag}"}, None, (Event.IMAGE_DELETED, Event.IMAGE_READY), "/events"),
    ],
)
def test_what_cannot_be_posted_is_refused_at_once(headers, body, events, pointer) -> None:
    with pytest.raises(InvalidRequest) as refused:
        shaping.check(headers, body, events)
    assert refused.value.figures["pointer"] == pointer


@pytest.mark.parametrize("value", ["", "x", "Bearer x  y", "{tag}"])
def test_what_is_taken_can_be_sent(value) -> None:
    shaping.check({"a": value}, None, PURGES)
    h11.Request(method="POST", target="/", headers=[("host", "cdn.example"), ("a", value)])


def test_other_events_may_have_headers_and_a_body_without_a_tag() -> None:
    shaping.check({"authorization": "Bearer x"}, '{"text": "something happened"}', None)
