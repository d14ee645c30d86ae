"""``filmroll push``, as a person and as a program use it, with servers and clients that die."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.service import AWS, ROOT, Service, environment, filmroll, free_port
from tests.samples import jpeg

SMALLER = "resize:width=20/output:format=webp"
LARGE_BYTES = (1 << 20) + 1


def picture(number: int | str, size: int = 0) -> bytes:
    """Return a JPEG of its own: a small picture with a comment, ``size`` bytes at least."""
    plain = jpeg(40, 30, seed=800)
    comments = b""
    while True:
        text = f"{number} ".encode().ljust(min(max(size - len(comments) - len(plain), 12), 60_000))
        comments += b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text
        if len(comments) + len(plain) >= size:
            return plain[:2] + comments + plain[2:]


def fill(folder: Path, *names: str, about: str = "") -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(f"{folder}{about}{name}"))
    return folder


def push(service: Service, *arguments: object, cwd: Path) -> tuple[int, dict[str, Any]]:
    """Run a push to its end; return its exit code and its summary."""
    process = started(service, *arguments, cwd=cwd)
    return ended(process)


def started(service: Service, *arguments: object, cwd: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "filmroll", "push", "--json", *map(str, arguments)],
        env=environment(FILMROLL_URL=service.url, PYTHONPATH=os.environ.get("PYTHONPATH", "")),
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: "subprocess.Popen[str]") -> tuple[int, dict[str, Any]]:
    out, err = process.communicate(timeout=120)
    assert "Traceback" not in err, err
    return process.returncode, json.loads(out) if out else {"error": err}


def ledger(http: httpx.Client, batch: str) -> dict[str, dict[str, Any]]:
    """Return the lines of a batch by ref; each is there once."""
    lines = [
        json.loads(line) for line in http.get(f"/v1/batches/{batch}/results").text.splitlines()
    ]
    by_ref = {line["ref"]: line for line in lines}
    assert len(by_ref) == len(lines)
    return by_ref


def test_a_folder_arrives_and_again_is_there(http, service, tmp_path: Path) -> None:
    root = fill(tmp_path / "photos", "a/1.jpg", "a/ü 2.jpg", "b.jpg", ".hidden.jpg")
    (root / "large.jpg").write_bytes(picture("large", LARGE_BYTES))
    code, summary = push(service, root, "--variant", SMALLER, "--tag", "t", cwd=tmp_path)
    assert (code, summary["sent"], summary["failed"], summary["failures"]) == (0, 4, 0, None)
    assert summary["state"] == "completed"
    assert summary["bytes"] == sum(
        p.stat().st_size for p in root.rglob("*") if p.name[0] != "." and p.is_file()
    )
    lines = ledger(http, summary["batch"])
    assert lines.keys() == {"a/1.jpg", "a/ü 2.jpg", "b.jpg", "large.jpg"}
    for ref, line in lines.items():
        data = (root / ref).read_bytes()
        assert line["sha256"] == hashlib.sha256(data).hexdigest()
        image = http.get(f"/v1/images/{line['image']}").json()
        assert (image["name"], image["tags"]) == (Path(ref).name, ["t"])
        assert [one["state"] for one in image["variants"]] == ["ready"]
    code, again = push(service, root, "--variant", SMALLER, "--tag", "t", cwd=tmp_path)
    assert (code, again["had"], again["sent"]) == (0, 4, 0)
    assert again["batch"] == summary["batch"]
    done = filmroll(
        "push", "-q", str(root), "--variant", SMALLER, "--tag", "t", FILMROLL_URL=service.url
    )
    assert "all 4 are there" in done.stdout


def test_names_that_an_archive_would_alter_arrive_once_as_they_are(
    http, service, tmp_path: Path
) -> None:
    """As ``find . -type f`` writes them, among others."""
    fill(tmp_path, "a.jpg", "b/c.jpg", "d\\e.jpg", "x:y.jpg", ".dot.jpg", "plain.jpg")
    refs = ["./a.jpg", "b//c.jpg", "d\\e.jpg", "x:y.jpg", ".dot.jpg", "plain.jpg"]
    manifest = tmp_path / "found.ndjson"
    manifest.write_text("".join(f"{json.dumps({'ref': ref})}\n" for ref in refs))
    code, summary = push(service, manifest, cwd=tmp_path)
    assert (code, summary["sent"], summary["failed"]) == (0, 6, 0)
    assert ledger(http, summary["batch"]).keys() == set(refs)
    assert http.get(f"/v1/batches/{summary['batch']}").json()["counts"]["stored"] == 6
    code, again = push(service, manifest, cwd=tmp_path)
    assert (code, again["had"], again["sent"]) == (0, 6, 0)


def test_what_is_new_in_a_folder_is_sent_alone(http, service, tmp_path: Path) -> None:
    root = fill(tmp_path / "growing", "1.jpg", "2.jpg")
    _, first = push(service, root, cwd=tmp_path)
    fill(root, "3.jpg")
    code, second = push(service, root, cwd=tmp_path)
    assert (code, second["had"], second["sent"]) == (0, 2, 1)
    assert second["batch"] != first["batch"]
    before, after = ledger(http, first["batch"]), ledger(http, second["batch"])
    assert {ref: after[ref]["image"] for ref in before} == {
        ref: line["image"] for ref, line in before.items()
    }
    code, third = push(service, root, cwd=tmp_path)
    assert (code, third["had"], third["batch"]) == (0, 3, second["batch"])


def test_failures_are_told_and_can_be_pushed_again(service, tmp_path: Path) -> None:
    root = fill(tmp_path / "mixed", "good.jpg")
    (root / "bad.jpg").write_bytes(b"no picture")
    (root / "large.jpg").write_bytes(b"no picture" * 200_000)
    code, summary = push(service, root, cwd=tmp_path)
    assert (code, summary["sent"], summary["failed"]) == (1, 1, 2)
    failures = tmp_path / summary["failures"]
    assert failures.name == f"{summary['name']}-failures.ndjson"
    lines = {line["ref"]: line for line in map(json.loads, failures.read_text().splitlines())}
    assert lines.keys() == {"bad.jpg", "large.jpg"}
    for line in lines.values():
        assert line["problem"]["code"] == "unsupported-media"
    fill(root, "bad.jpg", "large.jpg")
    code, mended = push(service, failures, cwd=tmp_path)
    assert (code, mended["sent"], mended["failed"]) == (0, 2, 0)
    code, whole = push(service, root, cwd=tmp_path)
    assert (code, whole["had"], whole["failed"]) == (0, 3, 0)
    assert not failures.exists()


def test_what_cannot_be_read_is_a_failure_too(service, tmp_path: Path) -> None:
    root = fill(tmp_path / "odd", "good.jpg")
    (root / "worse.jpg").write_bytes(picture(1))
    (root / "worse.json").write_text("{")
    code, summary = push(service, root, "--failures", tmp_path / "f.ndjson", cwd=tmp_path)
    assert (code, summary["sent"], summary["failed"]) == (1, 1, 1)
    (line,) = map(json.loads, (tmp_path / "f.ndjson").read_text().splitlines())
    assert (line["ref"], line["problem"]["code"]) == ("worse.jpg", "unreadable")
    assert line["path"] == str(root / "worse.jpg")


def test_sidecars_say_what_belongs_to_their_pictures(http, service, tmp_path: Path) -> None:
    root = fill(tmp_path / "said", "a.jpg", "b.jpg")
    (root / "large.jpg").write_bytes(picture("said", LARGE_BYTES))
    for name in ("a", "large"):
        said = {"tags": [name], "metadata": {"by": "me"}, "variants": [SMALLER], "name": "Own"}
        (root / f"{name}.json").write_text(json.dumps(said))
    code, summary = push(service, root, cwd=tmp_path)
    assert (code, summary["found"]) == (0, 3)
    lines = ledger(http, summary["batch"])
    images = {ref: http.get(f"/v1/images/{line['image']}").json() for ref, line in lines.items()}
    for name in ("a", "large"):
        image = images[f"{name}.jpg"]
        assert (image["tags"], image["metadata"], image["name"]) == ([name], {"by": "me"}, "Own")
        assert len(image["variants"]) == 1
    assert (images["b.jpg"]["tags"], images["b.jpg"]["variants"]) == ([], [])


def test_several_folders_a_file_and_a_manifest(http, service, tmp_path: Path) -> None:
    fill(tmp_path, "a/1.jpg", "b/1.jpg", "c.jpg", "elsewhere/2.jpg")
    manifest = tmp_path / "list.ndjson"
    manifest.write_text(json.dumps({"ref": "listed", "path": "elsewhere/2.jpg", "tags": ["l"]}))
    code, summary = push(service, "a", "b", "c.jpg", "list.ndjson", "--batch", "many", cwd=tmp_path)
    assert (code, summary["name"]) == (0, "many")
    assert ledger(http, summary["batch"]).keys() == {"a/1.jpg", "b/1.jpg", "c.jpg", "listed"}


def test_names_that_no_archive_carries_go_alone(http, service, tmp_path: Path) -> None:
    fill(tmp_path, ".hidden.jpg", "x.jpg")
    refs = [".hidden.jpg", "x.jpg", "tab\there.jpg", "r" * 1025]
    lines = [json.dumps({"ref": ref, "path": str(tmp_path / "x.jpg")}) for ref in refs]
    (tmp_path / "list.ndjson").write_text("\n".join(lines))
    code, summary = push(service, "list.ndjson", "--on-duplicate", "new", cwd=tmp_path)
    assert (code, summary["sent"], summary["failed"]) == (1, 2, 2)
    assert ledger(http, summary["batch"]).keys() == {".hidden.jpg", "x.jpg"}


def test_what_is_kept_elsewhere_only_gets_its_place_and_its_variants(
    http, service, tmp_path: Path
) -> None:
    root = fill(tmp_path / "partly", "good.jpg")
    (root / "mended.jpg").write_bytes(b"no picture")
    code, first = push(service, root, "--variant", SMALLER, cwd=tmp_path)
    assert (code, first["failed"]) == (1, 1)
    elsewhere = fill(tmp_path / "elsewhere", "plain.jpg")
    push(service, elsewhere, cwd=tmp_path)
    for name in ("mended.jpg", "new.jpg"):
        (root / name).write_bytes((elsewhere / "plain.jpg").read_bytes())
    code, second = push(service, root, "--variant", SMALLER, cwd=tmp_path)
    assert (code, second["had"], second["state"]) == (0, 3, "completed")
    assert second["batch"] != first["batch"]
    lines = ledger(http, second["batch"])
    assert lines.keys() == {"good.jpg", "mended.jpg", "new.jpg"}
    for line in lines.values():
        image = http.get(f"/v1/images/{line['image']}").json()
        assert [one["state"] for one in image["variants"]] == ["ready"]


def test_duplicates_are_reused_kept_or_rejected(http, service, tmp_path: Path) -> None:
    same = picture("the same")
    folders = {name: tmp_path / name for name in ("first", "reuse", "new", "reject")}
    for folder in folders.values():
        folder.mkdir()
        (folder / "a.jpg").write_bytes(same)
    _, first = push(service, folders["first"], cwd=tmp_path)
    _, reuse = push(service, folders["reuse"], cwd=tmp_path)
    _, new = push(service, folders["new"], "--on-duplicate", "new", cwd=tmp_path)
    code, reject = push(service, folders["reject"], "--on-duplicate", "reject", cwd=tmp_path)
    assert (reuse["had"], new["sent"], code, reject["failed"]) == (1, 1, 1, 1)
    images = [ledger(http, one["batch"])["a.jpg"]["image"] for one in (first, reuse, new)]
    assert images[0] == images[1] != images[2]


def test_an_unsealed_batch_is_gone_on_with(service, tmp_path: Path) -> None:
    root = fill(tmp_path / "open", "1.jpg")
    code, first = push(service, root, "--no-seal", cwd=tmp_path)
    assert (code, first["state"]) == (0, "open")
    fill(root, "2.jpg")
    code, second = push(service, root, cwd=tmp_path)
    assert (second["batch"], second["had"], second["sent"]) == (first["batch"], 1, 1)
    assert second["state"] == "completed"


def test_a_cancelled_batch_is_begun_anew(service, tmp_path: Path) -> None:
    root = fill(tmp_path / "again", "1.jpg")
    _, first = push(service, root, "--no-seal", cwd=tmp_path)
    done = filmroll("batch", "cancel", first["batch"], "--json", FILMROLL_URL=service.url)
    assert json.loads(done.stdout)["state"] == "cancelled"
    code, second = push(service, root, cwd=tmp_path)
    assert (code, second["had"]) == (0, 1)
    assert second["batch"] != first["batch"]


def test_a_file_that_changed_under_its_ref_is_told(service, tmp_path: Path) -> None:
    root = fill(tmp_path / "changed", "1.jpg")
    push(service, root, "--no-seal", cwd=tmp_path)
    fill(root, "1.jpg", about="other")
    code, second = push(service, root, cwd=tmp_path)
    assert (code, second["failed"]) == (1, 1)
    code, third = push(service, root, cwd=tmp_path)
    assert (code, third["sent"], third["failed"]) == (0, 1, 0)


def test_wrong_calls_are_told_in_a_line(service, tmp_path: Path) -> None:
    fill(tmp_path, "a/x/1.jpg", "b/x/1.jpg")
    nobody = Service(tmp_path / "none", port=free_port())
    for target, arguments, expected in (
        (service, ["nothing"], 2),
        (service, ["a/x", "b/x"], 2),
        (service, ["a", "--on-duplicate", "what"], 2),
        (service, ["a", "--variant", "resize:width=no"], 1),
        (nobody, ["a"], 3),
    ):
        code, result = push(target, *arguments, cwd=tmp_path)
        assert code == expected, result
    assert result["error"].startswith("filmroll: nobody answers")


def test_batches_are_shown(service, tmp_path: Path) -> None:
    root = fill(tmp_path / "shown", "1.jpg")
    (root / "bad.jpg").write_bytes(b"no picture")
    _, summary = push(service, root, "--batch", "to be shown", cwd=tmp_path)
    url, batch = {"FILMROLL_URL": service.url}, summary["batch"]
    assert batch in filmroll("batch", "ls", **url).stdout
    listed = filmroll("batch", "ls", "--name", "to be shown", "--json", **url).stdout
    assert [json.loads(line)["id"] for line in listed.splitlines()] == [batch]
    assert "completed_with_errors" in filmroll("batch", "show", batch, **url).stdout
    failed = filmroll("batch", "show", batch, "--failed", **url).stdout
    assert [json.loads(line)["ref"] for line in failed.splitlines()] == ["bad.jpg"]
    assert json.loads(filmroll("batch", "retry", batch, "--json", **url).stdout)["id"] == batch
    assert filmroll("batch", "show", "0" * 26, **url).returncode == 1


def test_waiting_may_be_left_to_the_service(http, service, tmp_path: Path) -> None:
    root = tmp_path / "left"
    root.mkdir()
    for number in range(40):
        (root / f"{number}.jpg").write_bytes(jpeg(600, 400, seed=850) + b"%d" % number)
    slow = "resize:width=1500,enlarge=true/output:format=avif"
    process = started(service, root, "--variant", slow, "--batch", "left", cwd=tmp_path)
    while not http.get("/v1/batches?name=left&state=sealed").json()["items"]:
        assert process.poll() is None
    time.sleep(1)  # until the push has heard of it
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "the batch goes on by itself: filmroll batch show" in err
    _, summary = push(
        service, root, "--variant", slow, "--batch", "left", "--no-wait", cwd=tmp_path
    )
    assert (summary["had"], summary["state"]) == (40, "sealed")
    http.delete(f"/v1/batches/{summary['batch']}")


def test_the_lines_of_the_page_run(service, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "push.md").read_text()
    blocks = re.findall(r"^```bash\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    fill(tmp_path, "photos/1.jpg", "photos/a/2.jpg", "scans/one.jpg")
    shutil.make_archive(str(tmp_path / "photos"), "zip", tmp_path / "photos")
    _, summary = push(service, "photos", "--batch", "page", "--no-seal", cwd=tmp_path)
    for line in "".join(blocks).splitlines():
        command = line.replace("filmroll ", f"{sys.executable} -m filmroll ", 1)
        done = subprocess.run(
            ["bash", "-c", command.replace(" ID", f" {summary['batch']}")],
            env=environment(FILMROLL_URL=service.url),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (line, done.stderr)
    assert "cancelled" in done.stdout


MANY = 3_000


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("many") / "photos"
    names = (f"{number % 7}/{number:05}.jpg" for number in range(MANY))
    return fill(root, *names)


def arrived(service: Service) -> int:
    """Return how many items of the newest batch have come."""
    with service.client() as http:
        items = http.get("/v1/batches?limit=1").json()["items"]
    return items[0]["counts"]["received"] if items else 0


@contextmanager
def pushing(service: Service, root: Path, cwd: Path) -> Iterator["subprocess.Popen[str]"]:
    """Lend a push of which a part has arrived."""
    process = started(service, root, cwd=cwd)
    deadline = time.monotonic() + 60
    while arrived(service) < 500:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield process
    if process.poll() is None:
        process.kill()
        process.communicate()


def everything_is_there_once(service: Service, root: Path, batch: str) -> None:
    with service.client() as http:
        lines = ledger(http, batch)
        counts = http.get(f"/v1/batches/{batch}").json()["counts"]
    files = {str(path.relative_to(root)): path for path in root.rglob("*.jpg")}
    assert lines.keys() == files.keys()
    for ref, path in files.items():
        assert lines[ref]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert len({line["image"] for line in lines.values()}) == MANY
    assert counts["succeeded"] == MANY
    # In a cluster bytes may be kept before their line is: declared anew, they are there already.
    missing = MANY - counts["received"]
    assert missing == 0 or (AWS and 0 < missing <= counts["duplicate"])


def test_outlasts_the_death_of_the_server(data: Path, many: Path, tmp_path: Path) -> None:
    with Service(data) as service, pushing(service, many, tmp_path) as process:
        service.kill()
        time.sleep(1)
        service.start()
        code, summary = ended(process)
        assert (code, summary["failed"]) == (0, 0)
        assert summary["sent"] + summary["had"] == MANY
        everything_is_there_once(service, many, summary["batch"])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_goes_on_after_its_own_end(
    data: Path, many: Path, tmp_path: Path, number: signal.Signals
) -> None:
    with Service(data) as service:
        with pushing(service, many, tmp_path) as process:
            process.send_signal(number)
            _, err = process.communicate(timeout=30)
        if number is signal.SIGINT:
            assert process.returncode == 130
            assert err.splitlines()[-1].startswith("filmroll: stopped;"), err
        code, summary = push(service, many, cwd=tmp_path)
        assert (code, summary["failed"]) == (0, 0)
        assert summary["had"] >= 500
        everything_is_there_once(service, many, summary["batch"])
