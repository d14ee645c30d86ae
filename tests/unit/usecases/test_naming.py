"""Names in archives that are handed out."""

import time

import pytest

from filmroll.usecases.batch.naming import FAILURES, Names, safe_path, with_extension


@pytest.mark.parametrize(
    ("ref", "path"),
    [
        ("a/b 1.jpg", "a/b 1.jpg"),
        (".hidden/größe.jpg", ".hidden/größe.jpg"),
        ("a/..b/...", "a/..b/..."),
        ("/etc/passwd", "etc/passwd"),
        ("../../x.jpg", "x.jpg"),
        ("a/../../x.jpg", "a/x.jpg"),
        ("a//./b/", "a/b"),
        ("\\\\host\\share\\x.jpg", "host/share/x.jpg"),
        ("..\\..\\x.jpg", "x.jpg"),
        ("C:\\pictures\\x.jpg", "C_/pictures/x.jpg"),
        ("c:x.jpg", "c_x.jpg"),
        ("/C:D:/x.jpg", "C_D:/x.jpg"),
        ("12:30.jpg", "12:30.jpg"),
        ("../", "unnamed"),
    ],
)
def test_no_name_leads_elsewhere(ref: str, path: str) -> None:
    assert safe_path(ref) == path
    assert safe_path(path) == path


@pytest.mark.parametrize(
    ("name", "format_", "renamed"),
    [
        ("a/b.png", "webp", "a/b.webp"),
        ("b.JPG", "jpeg", "b.JPG"),
        ("b.jpeg", "jpeg", "b.jpeg"),
        ("b.tiff", "jpeg", "b.jpg"),
        ("v1.2", "png", "v1.2.png"),
        ("a.b/c", "gif", "a.b/c.gif"),
        (".jpg", "webp", ".jpg.webp"),
        ("x.jpg.png", "avif", "x.jpg.avif"),
    ],
)
def test_the_extension_is_the_formats(name: str, format_: str, renamed: str) -> None:
    assert with_extension(name, format_) == renamed


def test_no_name_is_given_twice() -> None:
    names = Names()
    wanted = ["a/x.jpg", "a/x.jpg", "a/x (2).jpg", "a/x.jpg", "a/x (2).jpg", "x", "x", FAILURES]
    assert [names.take(one) for one in wanted] == [
        "a/x.jpg", "a/x (2).jpg", "a/x (2) (2).jpg", "a/x (3).jpg", "a/x (2) (3).jpg",
        "x", "x (2)", "filmroll-failures (2).ndjson",
    ]  # fmt: skip


def test_many_of_one_name_cost_no_more_than_others() -> None:
    names = Names()
    started = time.process_time()
    given = {names.take("x.jpg") for _ in range(20_000)}
    assert len(given) == 20_000
    assert time.process_time() - started < 5
