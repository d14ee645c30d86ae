"""The command line, as a person and as a program use it."""

import json
from pathlib import Path

import pyvips

from tests.e2e.service import Service, filmroll, free_port
from tests.samples import jpeg


def test_put_prints_urls_and_get_brings_pictures(service: Service, tmp_path: Path) -> None:
    photo = tmp_path / "photo one.jpg"
    photo.write_bytes(jpeg(400, 300, seed=41))
    url = {"FILMROLL_URL": service.url}
    done = filmroll("put", str(photo), "--variant", "resize:width=50/output:format=webp", **url)
    assert done.returncode == 0, done.stderr
    assert "50×38" in done.stdout
    image = done.stdout.splitlines()[1].strip()
    target = tmp_path / "out.webp"
    done = filmroll("get", image, "resize:width=60/output:format=webp", "-o", str(target), **url)
    assert done.returncode == 0, done.stderr
    assert pyvips.Image.new_from_file(str(target)).width == 60
    assert filmroll("get", image, "-o", str(target), **url).returncode == 0
    assert target.read_bytes() == photo.read_bytes()


def test_put_speaks_json_and_fails_with_a_reason(service: Service, tmp_path: Path) -> None:
    good, bad = tmp_path / "a.jpg", tmp_path / "b.jpg"
    good.write_bytes(jpeg(seed=42))
    bad.write_text("no picture")
    done = filmroll("put", str(good), str(bad), "--json", FILMROLL_URL=service.url)
    assert done.returncode == 1
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert first["state"] == "ready"
    assert second["problem"]["code"] == "unsupported-media"
    later = filmroll(
        "put", str(good), "--async", "--json", "--variant", "flip:axis=x", FILMROLL_URL=service.url
    )
    assert json.loads(later.stdout)["variants"][0]["instructions"] == "flip:axis=x"


def test_faults_of_the_client_are_one_line(tmp_path: Path) -> None:
    nobody = {"FILMROLL_URL": f"http://127.0.0.1:{free_port()}"}
    photo = tmp_path / "a.jpg"
    photo.write_bytes(jpeg(seed=43))
    for arguments in (("put", str(photo)), ("put", str(tmp_path / "none.jpg")), ("get", "0" * 26)):
        done = filmroll(*arguments, **nobody)
        assert done.returncode == 1
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert done.stderr.startswith("filmroll: ")


def test_check_looks_at_everything(tmp_path: Path) -> None:
    done = filmroll("check", FILMROLL_DATA=str(tmp_path / "data"))
    assert done.returncode == 0, done.stdout + done.stderr
    for part in ("blobs", "catalog", "queue", "engine", "jpeg", "avif"):
        assert part in done.stdout


def test_settings_lists_all(tmp_path: Path) -> None:
    done = filmroll("settings", "--json", FILMROLL_PORT="9", FILMROLL_DATA=str(tmp_path))
    rows = {row["variable"]: row for row in json.loads(done.stdout)}
    assert rows["FILMROLL_PORT"]["value"] == "9"
    assert all(row["meaning"] for row in rows.values())


def test_all_bad_settings_are_told_at_once() -> None:
    done = filmroll(
        "serve", FILMROLL_PORT="99999", FILMROLL_MAX_PIXELS="many", FILMROLL_PROT="1",
        FILMROLL_BLOBS="ftp://x", FILMROLL_PUBLIC_URL="nohost",
    )  # fmt: skip
    assert done.returncode == 2
    lines = done.stderr.strip().splitlines()
    for name in ("PORT", "MAX_PIXELS", "PROT", "BLOBS", "PUBLIC_URL"):
        assert any(line.startswith(f"filmroll: FILMROLL_{name}: ") for line in lines), done.stderr
    assert len(lines) == 5


def test_starting_twice_on_a_port_is_one_clear_line(service: Service, tmp_path: Path) -> None:
    done = filmroll("serve", "--port", str(service.port), FILMROLL_DATA=str(tmp_path / "d"))
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert f"127.0.0.1:{service.port}" in done.stderr


def test_a_data_folder_that_is_none_is_one_clear_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    done = filmroll("serve", "--port", "0", FILMROLL_DATA=str(file / "data"))
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "data folder" in done.stderr


def test_a_host_that_is_none_is_one_clear_line(tmp_path: Path) -> None:
    done = filmroll(
        "serve", "--host", "192.0.2.1", FILMROLL_ACCESS="open", FILMROLL_DATA=str(tmp_path / "d")
    )
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_version_and_help() -> None:
    assert filmroll("--version").stdout.strip()[0].isdigit()
    for command in ("serve", "upload-api", "download-api", "worker", "put", "get", "keys", "check"):
        assert command in filmroll("--help").stdout
