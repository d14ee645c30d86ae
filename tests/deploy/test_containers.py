"""The image, Compose and the lock file behind them: in step with each other and with the code."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml

from filmroll.cli.roles import _PORTS
from filmroll.settings import CLIENT_VARIABLES, PREFIX, Settings, load

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile"
COMPOSE = ROOT / "compose.yaml"
# All that names settings, on whatever way Filmroll is run.
NAMING = [
    DOCKERFILE,
    COMPOSE,
    ROOT / "docs" / "deploy.md",
    *sorted((ROOT / "deploy" / "kubernetes").rglob("*.yaml")),
    *sorted((ROOT / "deploy" / "systemd").iterdir()),
]


@pytest.fixture(scope="module")
def image() -> dict[str, list[str]]:
    """Return the instructions of the last stage, by their word."""
    found: dict[str, list[str]] = {}
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE)
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            found = {}
        found.setdefault(word, []).append(rest.strip())
    return found


@pytest.fixture(scope="module")
def variables(image: dict[str, list[str]]) -> dict[str, str]:
    return dict(pair.split("=", 1) for line in image["ENV"] for pair in line.split())


@pytest.mark.parametrize("path", NAMING, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_setting_that_is_named_exists(path: Path) -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | CLIENT_VARIABLES
    text = re.sub(r"^ *#.*$", "", path.read_text(), flags=re.MULTILINE)
    if path.suffix == ".md":
        text = path.read_text()
    assert set(re.findall(r"\bFILMROLL_[A-Z_]*[A-Z]\b", text)) <= known


def test_hadolint_finds_nothing() -> None:
    program = Path(sys.executable).with_name("hadolint")
    said = subprocess.run([program, DOCKERFILE], check=False, capture_output=True, text=True)
    assert (said.returncode, said.stdout) == (0, "")


def test_the_image_listens_where_the_code_does(image: dict[str, list[str]]) -> None:
    assert [int(port) for port in image["EXPOSE"][0].split()] == list(_PORTS.values())


def test_the_image_is_not_root_and_writes_to_its_volume(
    image: dict[str, list[str]], variables: dict[str, str]
) -> None:
    kubernetes = yaml.safe_load((ROOT / "deploy/kubernetes/base/pod.yaml").read_text())
    pod = kubernetes["spec"]["template"]["spec"]
    user = f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}"
    assert image["USER"] == [user]
    assert image["VOLUME"] == [variables["FILMROLL_DATA"]] == ["/data"]
    assert "/data" in {mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    assert f"useradd --uid {user.partition(':')[0]} " in image["RUN"][0]


def test_the_image_starts_the_whole_service(image: dict[str, list[str]]) -> None:
    assert json.loads(image["ENTRYPOINT"][0]) == ["filmroll"]
    assert json.loads(image["CMD"][0]) == ["serve"]


def test_the_image_listens_to_others_and_so_asks_for_keys(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        if name.startswith(PREFIX):
            monkeypatch.setenv(name, value)
    assert not load({}).open_access


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_health_check_asks_the_process(
    image: dict[str, list[str]], status: int, *, healthy: bool
) -> None:
    _, _, command = image["HEALTHCHECK"][0].partition("CMD ")
    python, *arguments = ast.literal_eval(command)
    assert python == "python"
    with _answering(status) as (port, asked):
        checked = subprocess.run(
            [sys.executable, *arguments],
            env=os.environ | {"FILMROLL_PORT": str(port)},
            check=False,
            capture_output=True,
        )
    assert (checked.returncode == 0) is healthy
    assert asked == ["/healthz"]


@contextmanager
def _answering(status: int) -> Iterator[tuple[int, list[str]]]:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port, asked
        server.shutdown()
        thread.join()


def test_all_that_is_copied_is_sent_to_the_builder() -> None:
    copied: set[str] = set()
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE.read_text(), re.MULTILINE):
        copied |= set(line.split()[:-1])
    ignored = (ROOT / ".dockerignore").read_text().split("\n")
    assert "*" in ignored
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == copied
    assert all((ROOT / name).exists() for name in copied)


def test_the_image_holds_what_is_tested() -> None:
    """Every pin for production is one of the tests'; ``make lock`` makes both."""
    tested, run = _pins("requirements.lock"), _pins("requirements-run.lock")
    assert set(run.items()) <= set(tested.items())


def test_the_image_holds_what_the_package_needs_and_no_tools() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    run = set(_pins("requirements-run.lock"))
    assert {
        _name(each) for each in project["dependencies"] + extras["aws"] + extras["faces"]
    } <= run
    assert not {_name(each) for each in extras["dev"]} & run


def _pins(file: str) -> dict[str, str]:
    found = re.findall(r"^([\w.-]+)==([^ \\]+)", (ROOT / file).read_text(), re.MULTILINE)
    return dict(found)


def _name(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    assert found
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def test_compose_runs_the_embedded_default(variables: dict[str, str]) -> None:
    compose = yaml.safe_load(COMPOSE.read_text())
    (service,) = compose["services"].values()
    assert service["build"] == "."
    assert "command" not in service
    (volume,) = service["volumes"]
    name, _, folder = volume.partition(":")
    assert folder == variables["FILMROLL_DATA"]
    assert name in compose["volumes"]
    assert service["read_only"]
    assert service["tmpfs"] == ["/tmp"]


def test_compose_lets_only_this_machine_in_without_a_key() -> None:
    (service,) = yaml.safe_load(COMPOSE.read_text())["services"].values()
    assert service["environment"]["FILMROLL_ACCESS"] == "open"
    (port,) = service["ports"]
    assert port == f"127.0.0.1:8000:{next(iter(_PORTS.values()))}"
    assert service["environment"]["FILMROLL_PUBLIC_URL"] == "http://127.0.0.1:8000"


def test_compose_leaves_the_time_to_drain() -> None:
    (service,) = yaml.safe_load(COMPOSE.read_text())["services"].values()
    drain = Settings.model_fields["drain_seconds"].default
    assert float(service["stop_grace_period"].removesuffix("s")) > 2 * drain
