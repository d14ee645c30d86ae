"""Keys and signatures, on a service whose access is not open."""

import re
import time

import pytest

from filmroll.model import SigningKey
from filmroll.signing import signed
from tests.e2e.service import Service, filmroll
from tests.samples import tiny_jpeg


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    data = tmp_path_factory.mktemp("closed") / "data"
    keys = {name: make_key(data, name, *scopes) for name, scopes in {
        "admin": ["admin"], "up": ["upload"], "read": ["read"],
    }.items()}  # fmt: skip
    kid, secret = make_signing_key(data)
    with Service(data, FILMROLL_ACCESS="keys") as running:
        running.keys = keys
        running.signing = SigningKey(id=kid, secret=secret, created_at=0)
        yield running


def make_key(data, name: str, *scopes: str) -> str:
    options = [part for scope in scopes for part in ("--scope", scope)]
    done = filmroll("keys", "create", name, *options, FILMROLL_DATA=str(data))
    assert done.returncode == 0, done.stderr
    return re.search(r"key\s+(\S+)", done.stdout)[1]


def make_signing_key(data) -> tuple[str, str]:
    done = filmroll("keys", "create-signing", FILMROLL_DATA=str(data))
    assert done.returncode == 0, done.stderr
    return re.search(r"kid\s+(\S+)\s+secret\s+(\S+)", done.stdout).groups()


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def image(closed) -> dict:
    with closed.client() as http:
        answer = http.post("/v1/images", content=tiny_jpeg(31), headers=bearer(closed.keys["up"]))
        assert answer.status_code == 201, answer.text
        return answer.json()


def test_a_service_that_others_can_reach_does_not_start_without_keys(tmp_path):
    done = filmroll("serve", "--host", "0.0.0.0", "--port", "0", FILMROLL_DATA=str(tmp_path / "d"))
    assert done.returncode == 1
    assert "filmroll keys create" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_without_a_key_nothing(closed):
    with closed.client() as http:
        for request in (
            http.build_request("POST", "/v1/images", content=tiny_jpeg(32)),
            http.build_request("GET", "/v1/images"),
            http.build_request("PUT", "/v1/presets/x", json={"instructions": "flip:axis=x"}),
            http.build_request("GET", "/v1/images", headers=bearer("fr_wrong")),
        ):
            answer = http.send(request)
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
            assert answer.headers["www-authenticate"].startswith("Bearer")
        for malformed in (
            http.get("/v1/images", params={"limit": 0}),
            http.patch("/v1/images/x", json={"nope": 1}),
        ):
            assert malformed.status_code == 401, "strangers learn nothing of the fields"


def test_scopes(closed, image):
    with closed.client() as http:
        up, read, admin = (bearer(closed.keys[name]) for name in ("up", "read", "admin"))
        path = f"/v1/images/{image['id']}"
        assert http.get(path, headers=read).status_code == 200
        assert http.get(path, headers=up).json()["code"] == "forbidden"
        assert http.delete(path, headers=read).status_code == 403
        body = {"instructions": "resize:width=20"}
        assert http.put("/v1/presets/t", json=body, headers=up).status_code == 403
        assert http.put("/v1/presets/t", json=body, headers=admin).status_code == 200
        for open_to_all in (
            "/healthz",
            "/readyz",
            "/metrics",
            "/v1/limits",
            "/openapi.json",
            "/docs",
        ):
            assert http.get(open_to_all).status_code == 200, open_to_all


def test_delivery_by_signature_or_key(closed, image):
    with closed.client() as http:
        path = f"/i/{image['id']}/resize:width=20"
        assert http.get(path).json()["code"] == "invalid-signature"
        by_key = http.get(path, headers=bearer(closed.keys["read"]))
        assert by_key.status_code == 200
        assert by_key.headers["cache-control"].startswith("private"), "no cache may share it"
        good = signed(path, int(time.time()) + 60, closed.signing)
        answer = http.get(good)
        assert answer.status_code == 200
        assert int(re.search(r"max-age=(\d+)", answer.headers["cache-control"])[1]) <= 60
        assert http.get(image["url"]).status_code == 200, "URLs in answers are signed"


def test_signatures_that_do_not_hold(closed, image):
    path = f"/i/{image['id']}/resize:width=20/flip:axis=x"
    later = int(time.time()) + 60
    good = signed(path, later, closed.signing)
    other = SigningKey(id=closed.signing.id, secret="guessed", created_at=0)
    with closed.client() as http:
        assert http.get(good).status_code == 200
        expired = http.get(signed(path, 1_000_000, closed.signing))
        assert (expired.status_code, expired.json()["code"]) == (403, "expired-signature")
        for bad in (
            good.replace("width=20", "width=21"),
            good.replace("resize:width=20/flip:axis=x", "flip:axis=x/resize:width=20"),
            re.sub(r"exp=\d+", f"exp={later + 1}", good),
            re.sub(r"exp=\d+", "exp=-1", good),
            re.sub(r"exp=\d+", "exp=" + "9" * 5000, good),
            good[:-1],
            good + "x",
            re.sub(r"kid=\w+", "kid=unknown", good),
            signed(path, later, other),
        ):
            answer = http.get(bad)
            assert (answer.status_code, answer.json()["code"]) == (403, "invalid-signature"), bad


def test_keys_are_rotated_while_both_are_good_and_revoked(closed, image):
    kid, secret = make_signing_key(closed.data)
    fresh = SigningKey(id=kid, secret=secret, created_at=0)
    path = f"/i/{image['id']}/resize:width=22"
    later = int(time.time()) + 60
    with closed.client() as http:
        for key in (closed.signing, fresh):
            assert http.get(signed(path, later, key)).status_code == 200
        done = filmroll("keys", "revoke", kid, FILMROLL_DATA=str(closed.data))
        assert done.returncode == 0, done.stderr
        answer = http.get(signed(path, later, fresh))
        assert (answer.status_code, answer.json()["code"]) == (403, "invalid-signature")
        assert http.get(signed(path, later, closed.signing)).status_code == 200


def test_a_revoked_access_key_opens_nothing(closed):
    key = make_key(closed.data, "short-lived", "read")
    with closed.client() as http:
        assert http.get("/v1/images", headers=bearer(key)).status_code == 200
        listed = filmroll("keys", "list", FILMROLL_DATA=str(closed.data)).stdout
        key_id = re.search(r"(\w{26}).*short-lived", listed)[1]
        assert filmroll("keys", "revoke", key_id, FILMROLL_DATA=str(closed.data)).returncode == 0
        assert http.get("/v1/images", headers=bearer(key)).status_code == 401
    unknown = filmroll("keys", "revoke", "nope", FILMROLL_DATA=str(closed.data))
    assert unknown.returncode == 1


def test_the_command_line_signs(closed, image):
    path = f"/i/{image['id']}/resize:width=23"
    done = filmroll("keys", "sign", path, FILMROLL_DATA=str(closed.data))
    with closed.client() as http:
        assert http.get(done.stdout.strip()).status_code == 200


def test_secrets_are_kept_hashed(closed):
    stored = b"".join(path.read_bytes() for path in closed.data.glob("catalog.db*"))
    for key in closed.keys.values():
        assert key.encode() not in stored


def test_presets_only_and_unsigned_presets(tmp_path):
    with (
        Service(tmp_path / "data", FILMROLL_PRESETS_ONLY="true") as service,
        service.client() as http,
    ):
        image = http.post("/v1/images", content=tiny_jpeg(33)).json()
        http.put("/v1/presets/t", json={"instructions": "resize:width=20"})
        assert http.get(f"/i/{image['id']}/t").status_code == 200
        refused = http.get(f"/i/{image['id']}/resize:width=20")
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    make_key(tmp_path / "data", "a", "admin")
    variables = {"FILMROLL_ACCESS": "keys", "FILMROLL_UNSIGNED_PRESETS": "true"}
    with Service(tmp_path / "data", **variables) as service, service.client() as http:
        assert http.get(f"/i/{image['id']}/t").status_code == 200
        assert http.get(f"/i/{image['id']}/resize:width=20").status_code == 403
        for smuggled in ("t/resize:width=21", "resize:width=22/t", "t/output:format=png"):
            assert http.get(f"/i/{image['id']}/{smuggled}").status_code == 403, smuggled
        assert http.get(f"/i/{image['id']}").status_code == 403
