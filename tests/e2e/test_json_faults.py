"""JSON that no UTF-8 can hold: a refusal, wherever it stands, and never a defect."""

import json

import httpx
import pytest

LONE = "\ud800"  # half of a pair: JSON can write it, UTF-8 cannot

BODIES = [
    ("/v1/batches", {"variants": [[{"op": LONE}]]}),
    ("/v1/batches", {"variants": [[{"op": "resize", LONE: 7}]]}),
    ("/v1/batches", {"variants": [LONE]}),
    ("/v1/batches", {"name": LONE}),
    ("/v1/batches", {LONE: 1}),
    ("/v1/batches", {"action": "delete", "where": {"tag": LONE}}),
    ("/v1/webhooks", {"url": f"https://example.org/{LONE}"}),
    ("/v1/webhooks", {"url": "https://example.org/", "secret": LONE}),
    ("/v1/webhooks", {"url": "https://example.org/", "name": LONE}),
    ("/v1/uploads", {"metadata": {"a": LONE}}),
    ("/v1/uploads", {"variants": [[{"op": LONE}]]}),
    ("/v1/images", {"url": "https://example.org/", "metadata": {"a": LONE}}),
]


@pytest.mark.parametrize(("path", "body"), BODIES, ids=lambda case: ascii(case)[:60])
@pytest.mark.parametrize("key", [None, "a key"])
def test_half_a_character_is_refused(
    http: httpx.Client, path: str, body: dict[str, object], key: str | None
) -> None:
    text = json.dumps(body)  # in ASCII, with escapes
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Idempotency-Key"] = f"{key}: {path} {text}"
    answer = http.post(path, content=text, headers=headers)
    assert answer.status_code in {400, 422}, answer.text
