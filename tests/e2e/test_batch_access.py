"""Who may do what with batches, on a service whose access is not open."""

from collections.abc import Iterator

import pytest

from tests.e2e.bulk import problem
from tests.e2e.raw import answer, connected, head
from tests.e2e.service import Service
from tests.e2e.test_access import bearer, make_key

Keys = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Keys]]:
    data = tmp_path_factory.mktemp("closed") / "data"
    keys = {scope: bearer(make_key(data, scope, scope)) for scope in ("read", "upload", "admin")}
    with Service(data, FILMROLL_ACCESS="keys") as running:
        yield running, keys


def test_keys_and_scopes_are_asked_for_on_every_route(closed: tuple[Service, Keys]) -> None:
    service, keys = closed
    with service.client() as http:
        made = http.post("/v1/batches", json={}, headers=keys["upload"]).json()["id"]
        here = f"/v1/batches/{made}"
        reading = [
            ("GET", "/v1/batches"), ("GET", here), ("GET", f"{here}/results"),
            ("GET", f"{here}/items/a"),
        ]  # fmt: skip
        writing = [
            ("POST", "/v1/batches"), ("POST", f"{here}/items"), ("PUT", f"{here}/items/a"),
            ("POST", f"{here}/archive"), ("POST", f"{here}/retry"), ("POST", f"{here}/seal"),
            ("DELETE", here),
        ]  # fmt: skip
        for method, path in [*reading, ("GET", f"{here}/events"), *writing]:
            for headers in ({}, bearer("fr_unknown")):
                refused = http.request(method, path, headers=headers)
                problem(refused, 401, "unauthenticated")
            wrong = "upload" if method == "GET" else "read"
            body = b"{}" if path == "/v1/batches" else b""
            kind = {"Content-Type": "application/json"} if body else {}
            refused = http.request(method, path, content=body, headers=keys[wrong] | kind)
            problem(refused, 403, "forbidden")
        for method, path in writing:
            for key in ("upload", "admin"):
                status = http.request(method, path, headers=keys[key]).status_code
                assert status not in {401, 403}, (method, path, key)
        for method, path in [*reading, ("GET", f"{here}/events")]:
            for key in ("read", "admin"):
                status = http.request(method, path, headers=keys[key]).status_code
                assert status == 200, (method, path, key)


def test_strangers_are_refused_before_their_bytes_are_read(closed: tuple[Service, Keys]) -> None:
    service, keys = closed
    with service.client() as http:
        made = http.post("/v1/batches", json={}, headers=keys["upload"]).json()["id"]
    for method, feed in (("POST", "archive"), ("POST", "items"), ("PUT", "items/a")):
        with connected(service) as connection:
            path = f"/v1/batches/{made}/{feed}"
            connection.sendall(head(method, path, Content_Length=10**7))
            response, _ = answer(connection)
            assert response.status == 401
