"""What of a folder is pushed, and under which names."""

import json
import os
from pathlib import Path

import pytest

from filmroll.client.files import Fault, File, Link, label, walk


def tree(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"data")


def refs(root: Path) -> list[str]:
    return [item.ref for item in walk(str(root))]


def test_is_sorted_and_leaves_out_what_is_hidden_or_elsewhere(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    tree(root, "b.jpg", "a/2.jpg", "a/1.jpg", ".hidden.jpg", ".git/x.jpg", "c", "z.txt")
    tree(elsewhere, "photo.jpg")
    (root / "linked-folder").symlink_to(elsewhere)
    (root / "linked.jpg").symlink_to(elsewhere / "photo.jpg")
    (root / "loose").symlink_to(tmp_path / "nothing")
    os.mkfifo(root / "pipe")
    assert refs(root) == ["a/1.jpg", "a/2.jpg", "b.jpg", "c", "linked.jpg", "z.txt"]


def test_says_size_and_place(tmp_path: Path) -> None:
    tree(tmp_path, "a/1.jpg")
    assert list(walk(str(tmp_path), "root/")) == [
        File("root/a/1.jpg", str(tmp_path / "a" / "1.jpg"), 4)
    ]


def test_a_sidecar_belongs_to_the_picture_beside_it(tmp_path: Path) -> None:
    tree(tmp_path, "a.jpg", "b.jpg", "lonely.json", "sub/a.json")
    (tmp_path / "a.json").write_text(json.dumps({"tags": ["x"], "metadata": {"n": 1}}))
    found = {item.ref: item for item in walk(str(tmp_path))}
    assert found.keys() == {"a.jpg", "b.jpg", "lonely.json", "sub/a.json"}
    assert found["a.jpg"].said == {"tags": ["x"], "metadata": {"n": 1}}
    assert found["b.jpg"].said is None


@pytest.mark.parametrize("text", ["{", "[]", "\xff"])
def test_a_picture_is_not_sent_without_what_its_sidecar_meant(tmp_path: Path, text: str) -> None:
    tree(tmp_path, "a.jpg")
    (tmp_path / "a.json").write_text(text, encoding="latin-1")
    (fault,) = walk(str(tmp_path))
    assert isinstance(fault, Fault)
    assert "a.json" in fault.detail


def test_a_name_that_is_not_utf8_is_a_fault(tmp_path: Path) -> None:
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg"))).write_bytes(b"data")
    (fault,) = walk(str(tmp_path))
    assert isinstance(fault, Fault)
    assert "UTF-8" in fault.detail


def test_a_folder_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    (fault,) = walk(str(tmp_path / "gone"), "gone/")
    assert fault == Fault("gone/", str(tmp_path / "gone"), "No such file or directory")


def test_tags_are_added_to_those_there_are() -> None:
    plain, tagged = File("a", "/a", 1), File("b", "/b", 1, {"tags": ["old"], "name": "n"})
    assert label(plain, ["new"]).said == {"tags": ["new"]}
    assert label(tagged, ["new"]).said == {"tags": ["new", "old"], "name": "n"}
    assert label(Link({"ref": "c"}), ["new"]).line == {"ref": "c", "tags": ["new"]}
    assert label(plain, []) is plain
