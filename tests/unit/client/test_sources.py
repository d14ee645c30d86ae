"""Folders, files and manifests together: their names, and the batch's."""

import json
from pathlib import Path

import pytest

from filmroll.client.files import Fault, File, Link
from filmroll.client.sources import Sources


def tree(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"data")


def refs(*paths: Path) -> list[str]:
    return [item.ref for item in Sources(paths).items()]


def test_refs_begin_below_a_lone_folder_and_with_the_names_of_several(tmp_path: Path) -> None:
    tree(tmp_path, "a/1.jpg", "b/1.jpg", "c.jpg")
    assert refs(tmp_path / "a") == ["1.jpg"]
    everything = refs(tmp_path / "a", tmp_path / "b", tmp_path / "c.jpg")
    assert everything == ["a/1.jpg", "b/1.jpg", "c.jpg"]


def test_files_are_found_again_by_their_refs(tmp_path: Path) -> None:
    tree(tmp_path, "a/x/1.jpg", "b/1.jpg", "c.jpg")
    for paths in ([tmp_path / "a"], [tmp_path / "a", tmp_path / "c.jpg"], [tmp_path / "c.jpg"]):
        sources = Sources(paths)
        for item in sources.items():
            assert sources.path_of(item.ref) == item.path
    assert Sources([tmp_path / "a"]).path_of("none.jpg") is None


def test_what_cannot_be_pushed_together_is_told_at_once(tmp_path: Path) -> None:
    tree(tmp_path, "a/photos/1.jpg", "b/photos/1.jpg")
    with pytest.raises(ValueError, match="named photos"):
        Sources([tmp_path / "a" / "photos", tmp_path / "b" / "photos"])
    with pytest.raises(ValueError, match="does not exist"):
        Sources([tmp_path / "none"])
    with pytest.raises(ValueError, match="nothing"):
        Sources([])


def test_the_batch_is_named_after_the_folder_and_the_wishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree(tmp_path, "a/1.jpg", "b/1.jpg")
    name = Sources([tmp_path / "a"]).name("flip:axis=x")
    assert name.startswith("a-")
    assert len(name) == len("a-") + 8
    monkeypatch.chdir(tmp_path / "a")
    assert Sources([Path()]).name("flip:axis=x") == name
    others = {
        Sources([tmp_path / "a"]).name(),
        Sources([tmp_path / "b"]).name("flip:axis=x"),
        Sources([tmp_path / "a", tmp_path / "b"]).name("flip:axis=x"),
    }
    assert len(others | {name}) == 4


def test_a_manifest_names_files_and_what_the_service_fetches(tmp_path: Path) -> None:
    tree(tmp_path, "in/a.jpg", "in/b.jpg", "far.jpg")
    url = {"ref": "u", "source": {"url": "https://example.com/u.jpg"}, "problem": {"status": 502}}
    lines = [
        {"ref": "a.jpg"},
        {"ref": "other", "path": "b.jpg", "tags": ["t"], "sha256": "0" * 64, "bytes": 9},
        {"ref": "far", "path": str(tmp_path / "far.jpg"), "source": "upload"},
        url,
        {"ref": "gone.jpg"},
        {"path": "a.jpg"},
    ]
    manifest = tmp_path / "in" / "list.ndjson"
    manifest.write_text("".join(f"{json.dumps(line)}\n\n" for line in lines) + "{broken\n")
    first, other, far, link, gone, nameless, broken = Sources([manifest]).items()
    assert first == File("a.jpg", str(tmp_path / "in" / "a.jpg"), 4)
    assert other == File("other", str(tmp_path / "in" / "b.jpg"), 4, {"tags": ["t"]})
    assert far == File("far", str(tmp_path / "far.jpg"), 4)
    assert link == Link(url)
    for fault in (gone, nameless, broken):
        assert isinstance(fault, Fault)
    assert nameless.ref == "list.ndjson:11"
