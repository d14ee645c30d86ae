"""The three roles as processes of their own over one data folder, and two services over one."""

import subprocess
import sys
from contextlib import ExitStack

import pyvips

from deploy.local.http import status
from tests.e2e.service import Service, environment, free_port, until
from tests.e2e.test_upload import upload, wait_for
from tests.samples import jpeg, tiny_jpeg

WEBP = "resize:width=70/output:format=webp"


def test_the_roles_alone_do_together_what_serve_does(data):
    port = free_port()
    url = {"FILMROLL_WORKER_URL": f"http://127.0.0.1:{port}"}
    with (
        Service(data, "worker", port=port, **url),
        Service(data, "upload-api", **url) as uploads,
        Service(data, "download-api", **url) as downloads,
        uploads.client() as up,
        downloads.client() as down,
    ):
        image = upload(up, jpeg(700, 500, seed=51), WEBP)
        assert image.status_code == 201, image.text
        path = f"/i/{image.json()['id']}"
        assert down.get(f"{path}/{WEBP}").status_code == 200
        cold = down.get(f"{path}/rotate:angle=90")
        assert pyvips.Image.new_from_buffer(cold.content, "").width == 500
        later = upload(up, jpeg(seed=52), WEBP, prefer="respond-async")
        assert wait_for(up, later.headers["location"])["state"] == "succeeded"
        bad = down.get(f"{path}/crop:width=9000,x=0,y=0")
        assert (bad.status_code, bad.json()["code"]) == (422, "invalid-instructions")
        for http, foreign in ((up, path), (down, "/v1/images")):
            answer = http.get(foreign)
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
        assert up.post(f"http://127.0.0.1:{port}/internal/variants", json={}).status_code in {
            401,
            422,
        }
        assert up.delete(f"/v1/images/{image.json()['id']}").status_code == 204
        assert down.get(path).status_code == 410


def test_without_a_worker_nothing_is_lost(data):
    url = {"FILMROLL_WORKER_URL": f"http://127.0.0.1:{free_port()}"}
    with Service(data, "upload-api", **url) as uploads, uploads.client() as up:
        answer = upload(up, tiny_jpeg(53), WEBP, prefer="wait=1")
        assert answer.status_code == 202, answer.text
        job = answer.headers["location"]
    with Service(data, "download-api", **url) as downloads, downloads.client() as down:
        cold = down.get(f"/i/{answer.json()['id']}/{WEBP}")
        assert (cold.status_code, cold.json()["code"]) == (503, "overloaded")
        assert cold.headers["retry-after"]
    with Service(data) as whole, whole.client() as http:
        assert wait_for(http, job)["state"] == "succeeded"


def test_two_services_on_one_data_folder_agree(data):
    with Service(data) as one, Service(data) as two, one.client() as a, two.client() as b:
        images = [upload(http, tiny_jpeg(60 + n), WEBP).json() for n, http in enumerate([a, b] * 5)]
        for image in images:
            path = f"/i/{image['id']}/{WEBP}"
            assert a.get(path).content == b.get(path).content
        gone = f"/i/{images[0]['id']}/{WEBP}"
        assert a.delete(f"/v1/images/{images[0]['id']}").status_code == 204
        assert b.get(gone).status_code == 410, "what the other service holds in memory is stale too"
        key = {"Idempotency-Key": "shared"}
        first = a.post("/v1/images", content=tiny_jpeg(80), headers=key).json()
        assert b.post("/v1/images", content=tiny_jpeg(80), headers=key).json()["id"] == first["id"]


def test_of_two_services_started_at_once_on_a_port_one_has_it(data):
    """Were it shared, half of the requests would be answered with other data and other keys."""
    port = free_port()
    settings = {"FILMROLL_PORT": str(port), "FILMROLL_LOG": "json"}
    with ExitStack() as started:
        both = [
            started.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "filmroll", "serve"],
                    env=environment(FILMROLL_DATA=str(data / name), **settings),
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for name in ("one", "two")
        ]
        for process in both:
            started.callback(process.kill)
        (refused,) = until(lambda: [process for process in both if process.poll() is not None], 30)
        assert f"cannot listen on 127.0.0.1:{port}" in refused.stderr.read()
        assert refused.returncode == 1
        until(lambda: status(f"http://127.0.0.1:{port}/healthz") == 200, 30)
        (alone,) = (process for process in both if process is not refused)
        alone.terminate()
        assert alone.wait(30) == 0
