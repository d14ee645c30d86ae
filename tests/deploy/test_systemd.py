"""The units for plain machines, as systemd itself reads them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from filmroll.settings import Role, Settings

FOLDER = Path(__file__).parents[2] / "deploy" / "systemd"
PROGRAM = "/opt/filmroll/bin/filmroll"
UNITS = {"filmroll.service": "filmroll.service"} | {
    f"filmroll-role@{role}.service": "filmroll-role@.service"
    for role in Role
    if role is not Role.ALL
}
_EXPOSURE = 20  # in tenths, of 100: 1.5 when this was written; an unhardened service has 9.6

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here"
)


@pytest.fixture(params=UNITS)
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return an instance of a unit that names a program of this machine."""
    path = tmp_path / request.param
    text = (FOLDER / UNITS[request.param]).read_text()
    assert PROGRAM in text
    here = Path(sys.executable).with_name("filmroll")
    path.write_text(text.replace(PROGRAM, str(here)))
    return path


def _directives(unit: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (FOLDER / unit).read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


@needs_systemd
def test_systemd_understands_every_line(unit: Path) -> None:
    said = _analyze("verify", "--man=no", str(unit))
    assert (said.returncode, said.stderr) == (0, "")


@needs_systemd
def test_systemd_would_tell_of_a_misspelt_line(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("ProtectSystem=", "ProtectSystems="))
    assert "ProtectSystems" in _analyze("verify", "--man=no", str(unit)).stderr


@needs_systemd
def test_little_is_exposed(unit: Path) -> None:
    options = ["--offline=true", "--no-pager", f"--threshold={_EXPOSURE}"]
    said = _analyze("security", *options, str(unit))
    assert said.returncode == 0, said.stdout


def _analyze(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = ["systemd-analyze", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("unit", "name"), [("filmroll.service", "filmroll"), ("filmroll-role@.service", "filmroll-%i")]
)
def test_the_data_folder_is_the_one_that_systemd_makes(unit: str, name: str) -> None:
    directives = _directives(unit)
    assert directives["StateDirectory"] == [name]
    assert f"FILMROLL_DATA=%S/{name}" in directives["Environment"][0].split()


def test_each_unit_runs_its_role() -> None:
    assert _directives("filmroll.service")["ExecStart"] == [f"{PROGRAM} {Role.ALL}"]
    assert _directives("filmroll-role@.service")["ExecStart"] == [f"{PROGRAM} %i"]


def test_both_units_are_hardened_alike() -> None:
    one, other = (_directives(unit) for unit in sorted(set(UNITS.values())))
    own = {
        "Description",
        "ExecStart",
        "Environment",
        "EnvironmentFile",
        "StateDirectory",
        "User",
    }
    assert {name: one[name] for name in one.keys() - own} == {
        name: other[name] for name in other.keys() - own
    }


@pytest.mark.parametrize("unit", sorted(set(UNITS.values())))
def test_a_service_has_the_time_to_drain(unit: str) -> None:
    drain = Settings.model_fields["drain_seconds"].default
    assert float(_directives(unit)["TimeoutStopSec"][0]) > 2 * drain


@pytest.mark.parametrize("unit", sorted(set(UNITS.values())))
def test_an_engine_that_dies_takes_nobody_along(unit: str) -> None:
    assert _directives(unit)["OOMPolicy"] == ["continue"]
    assert _directives(unit)["KillMode"] == ["mixed"]
