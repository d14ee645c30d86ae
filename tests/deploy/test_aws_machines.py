"""What runs on the machines: the script of a start, and the guard that drains a role."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deploy.aws import machines
from deploy.aws.roles import ROLES
from tests.deploy.templates import plain

HERE = Path(machines.__file__).parent
MOST = 16 * 1024  # bytes of user data


class Machine(ThreadingHTTPServer):
    """The metadata of a machine, and /healthz of its role, on one port."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.metadata = {"instance-id": "i-1", "autoscaling/target-lifecycle-state": "InService"}
        self.healthy = True


class _Answers(BaseHTTPRequestHandler):
    server: Machine

    def do_PUT(self):
        self._answer("token" if self.path == "/latest/api/token" else None)

    def do_GET(self):
        if self.path == "/healthz":
            self._answer("" if self.server.healthy else None)
        elif self.headers["X-aws-ec2-metadata-token"] == "token":
            self._answer(self.server.metadata.get(self.path.removeprefix("/latest/meta-data/")))
        else:
            self._answer(None)

    def _answer(self, text):
        body = (text or "").encode()
        self.send_response(404 if text is None else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@contextmanager
def guard(machine, folder):
    """Run the guard; what it tells systemd and AWS stands in the file that this yields."""
    told = folder / "told"
    told.touch()
    for tool in ("systemctl", "aws"):
        script = folder / tool
        script.write_text(f'#!/bin/sh\necho {tool} "$@" >>{told}\n')
        script.chmod(0o755)
    port = machine.server_address[1]
    process = subprocess.Popen(
        [shutil.which("bash"), HERE / "guard.sh"],
        env={
            "PATH": f"{folder}:/usr/bin:/bin",
            "METADATA": f"http://127.0.0.1:{port}/latest",
            "PORT": str(port),
            "PAUSE": "0.05",
            "SPREADS": "0",
            "GROUP": "filmroll-worker",
            "HOOK": "drain",
            "AWS_REGION": "us-east-1",
        },
    )
    try:
        yield process, told
    finally:
        process.kill()
        process.wait()


COMPLETE = (
    "aws autoscaling complete-lifecycle-action --lifecycle-action-result CONTINUE "
    "--lifecycle-hook-name drain --auto-scaling-group-name filmroll-worker "
    "--instance-id i-1 --region us-east-1"
)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("autoscaling/target-lifecycle-state", "Terminated"),
        ("spot/instance-action", '{"action": "terminate"}'),
    ],
    ids=["the group", "Spot"],
)
def test_a_role_is_drained_when_its_machine_is_to_go(machine, tmp_path, key, value):
    with guard(machine, tmp_path) as (process, told):
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        assert told.read_text() == ""
        machine.metadata[key] = value
        assert process.wait(10) == 0
        assert told.read_text().splitlines() == ["systemctl stop filmroll.service", COMPLETE]


def test_a_role_that_hangs_is_started_anew(machine, tmp_path):
    machine.healthy = False
    with guard(machine, tmp_path) as (process, told):
        for _ in range(100):
            if told.read_text():
                break
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.1)
        assert told.read_text().splitlines()[0] == "systemctl restart filmroll.service"


@pytest.mark.parametrize("role", ROLES, ids=[role.id for role in ROLES])
def test_the_script_of_a_start_is_one_that_bash_can_read_and_ec2_takes(default, role, tmp_path):
    templates = default.resources("AWS::EC2::LaunchTemplate")
    (data,) = (it["LaunchTemplateData"] for id_, it in templates.items() if role.id in id_)
    script = plain(data)["UserData"]
    assert len(script.encode()) < MOST
    assert f"export ROLE={role.role}\n" in script
    assert f"export FILMROLL_PORT={role.port}\n" in script
    assert ("FILMROLL_WORKER_URL" in script) == role.public
    path = tmp_path / "user-data"
    path.write_text(script)
    subprocess.run(["/bin/bash", "-n", path], check=True)
