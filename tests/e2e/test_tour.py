"""The README's tour, line by line, as somebody new would paste it."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
import pyvips

from tests.e2e.service import ROOT, Service, environment
from tests.e2e.test_upload import wait_for

README = (ROOT / "README.md").read_text()
MARKER = "the line is done"


def lines() -> list[str]:
    match = re.search(r"<!-- tour -->\n```sh\n(.*?)```", README, re.DOTALL)
    assert match
    return match[1].splitlines()


class Shell:
    """A bash that is given one line after the other, and ends at the first that fails."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self._bash = subprocess.Popen(
            ["bash", "-e", "-o", "pipefail"],
            cwd=folder,
            env=environment(**variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._bash:
            self._bash.kill()

    def run(self, line: str) -> str:
        """Return what a line shows."""
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        self._bash.stdin.write(f"{line}\nprintf '\\n{MARKER}\\n'\n")
        self._bash.stdin.flush()
        shown: list[str] = []
        for text in self._bash.stdout:
            if text.strip() == MARKER:
                return "".join(shown).strip()
            shown.append(text)
        raise AssertionError(f"{line}\n{''.join(shown)}")


@pytest.fixture(scope="module")
def tour(service: Service, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Take the tour; return its folder, and what each line showed."""
    folder = tmp_path_factory.mktemp("tour")
    (folder / "tests").symlink_to(ROOT / "tests")
    command = f"{shlex.quote(sys.executable)} -m filmroll"
    with Shell(folder, FILMROLL_URL=service.url) as shell:
        return folder, {
            line: shell.run(
                line.replace("http://127.0.0.1:8000", service.url).replace(
                    ".venv/bin/filmroll", command
                )
            )
            for line in lines()
        }


def shown(tour: tuple[Path, dict[str, str]], part: str) -> str:
    """Return what the one line showed that holds ``part``."""
    (text,) = [text for line, text in tour[1].items() if part in line]
    return text


def size(path: Path) -> tuple[int, int]:
    picture = pyvips.Image.new_from_file(str(path))
    assert picture.avg() > 0  # decodes to its end
    return picture.width, picture.height


def test_three_variants_come_with_the_upload(tour) -> None:
    image = json.loads(shown(tour, "json.tool"))
    assert (image["state"], image["name"]) == ("ready", "photo.jpg")
    assert [one["state"] for one in image["variants"]] == ["ready"] * 3
    assert [one["format"] for one in image["variants"]] == ["webp", "jpeg", "avif"]
    width, height = size(tour[0] / "photo.jpg")
    sizes = [(one["width"], one["height"]) for one in image["variants"]]
    assert sizes == [
        (800, round(800 * height / width)),
        (200, 200),
        (round(width / 2), round(height / 2)),
    ]


def test_the_original_is_the_same(tour) -> None:
    assert shown(tour, "cmp") == "the same"


def test_pictures_are_what_was_asked_for(tour) -> None:
    folder = tour[0]
    width, height = size(folder / "photo.jpg")
    assert size(folder / "turned.webp") == (300, round(300 * width / height))
    assert size(folder / "thumb.webp") == (160, round(160 * height / width))
    plain = pyvips.Image.new_from_file(str(folder / "photo.jpg")).thumbnail_image(800)
    for name in ("marked.jpg", "signed.jpg"):
        assert size(folder / name) == (plain.width, plain.height)
        marked = pyvips.Image.new_from_file(str(folder / name))
        differs = (marked - plain).abs()
        right_below = (plain.width // 2, plain.height // 2, plain.width // 2, plain.height // 2)
        left_above = (0, 0, plain.width // 2, plain.height // 2)
        assert differs.crop(*right_below).avg() > 2 * differs.crop(*left_above).avg(), name


def test_the_preset_is_kept(tour) -> None:
    assert json.loads(shown(tour, "-X PUT"))["name"] == "thumb"


def test_the_job_ends(tour, service) -> None:
    folder = tour[0]
    assert " 202 " in (folder / "headers.txt").read_text().splitlines()[0]
    job = json.loads(shown(tour, "$JOB"))
    with service.client() as http:
        assert wait_for(http, f"/v1/jobs/{job['id']}")["state"] == "succeeded"
        image = http.get(f"/v1/images/{job['image']}").json()
    assert image["id"] == json.loads((folder / "later.json").read_text())["id"]
    assert ("ready", "avif") in [(one["state"], one["format"]) for one in image["variants"]]


def test_what_was_deleted_is_gone(tour) -> None:
    assert shown(tour, "-X DELETE") == ""
    problem = json.loads(shown(tour, "$PHOTO/thumb -w"))
    assert (problem["status"], problem["code"]) == (410, "deleted")


def test_the_command_line_shows_urls(tour, service) -> None:
    name, original, variant = shown(tour, "filmroll put").splitlines()
    assert name == "photo.jpg"
    assert original.strip().startswith(f"{service.url}/i/")
    assert "800×" in variant


def test_a_folder_is_pushed_once(tour, service) -> None:
    pictures = len(list((tour[0] / "photos").iterdir()))
    said = shown(tour, "filmroll push")
    assert f"all {pictures} are there" in said
    named = re.search(r"batch (\w{26})", said)
    assert named
    with service.client() as http:
        batch = http.get(f"/v1/batches/{named[1]}").json()
    assert (batch["state"], batch["counts"]["succeeded"]) == ("completed", pictures)
