"""What sources in URLs of other servers are here; what must never be fetched."""

import pytest

from filmroll.errors import UnknownSource
from filmroll.migration import Sources
from filmroll.model import is_id

ID = "0123456789abcdefghjkmnpqrs"
SOURCES = Sources(
    [
        "https://img.example.com/photos/",
        "http://old.example.com:8080/",
        "s3://bucket/=https://bucket.example.com/kept/",
    ]
)


@pytest.mark.parametrize("text", [ID, f"/{ID}", f"local:///{ID}"])
def test_an_id_is_an_image_that_is_here(text: str) -> None:
    found = SOURCES.find(text)
    assert (found.id, found.url) == (ID, None)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://img.example.com/photos/a.jpg", "https://img.example.com/photos/a.jpg"),
        ("HTTPS://IMG.example.com:443/photos/a.jpg", "https://img.example.com/photos/a.jpg"),
        ("https:/img.example.com/photos/a.jpg", "https://img.example.com/photos/a.jpg"),
        ("https://img.example.com/photos/a.jpg?v=1#x", "https://img.example.com/photos/a.jpg?v=1"),
        ("img.example.com/photos/a.jpg", "https://img.example.com/photos/a.jpg"),
        ("old.example.com:8080/a.jpg", "http://old.example.com:8080/a.jpg"),
        ("a/b c.jpg", "https://img.example.com/photos/a/b%20c.jpg"),
        ("/a/b.jpg", "https://img.example.com/photos/a/b.jpg"),
        ("grün.jpg", "https://img.example.com/photos/gr%C3%BCn.jpg"),
        ("a.jpg?u=http://x/", "https://img.example.com/photos/a.jpg?u=http://x/"),
        ("s3://bucket/k/a.jpg", "https://bucket.example.com/kept/k/a.jpg"),
        ("s3:/bucket/k/a.jpg", "https://bucket.example.com/kept/k/a.jpg"),
    ],
)
def test_what_lies_under_a_base_is_fetched_from_there(text: str, url: str) -> None:
    found = SOURCES.find(text)
    assert found.url == url
    assert is_id(found.id)
    assert SOURCES.find(url).id == found.id


@pytest.mark.parametrize(
    "text",
    [
        "https://evil.example/a.jpg",
        "http://img.example.com/photos/a.jpg",
        "https://img.example.com:444/photos/a.jpg",
        "https://img.example.com/a.jpg",
        "https://img.example.com/photos",
        "https://img.example.com/photos/../a.jpg",
        "https://img.example.com/photos/%2e%2E/a.jpg",
        "https://img.example.com/photos/x%2f..%2f../a.jpg",
        "https://img.example.com/photos/..\\a.jpg",
        "https://img.example.com/photos/%5c..%5c../a.jpg",
        "https://img.example.com/photos/./a.jpg",
        "https://img.example.com/photos/..;/a.jpg",
        "https://img.example.com/photos/..;a=b/a.jpg",
        "https://img.example.com/photos/..%3B/a.jpg",
        "https://img.example.com/photos/%252e%252e/a.jpg",
        "https://img.example.com/photos/%25252e%25252E/a.jpg",
        "https://img.example.com/photos/x%252f..%252f../a.jpg",
        "https://img.example.com/photos/%" + "25" * 9 + "2e./a.jpg",
        "https://img.example.com@evil.example/photos/a.jpg",
        "https://user@img.example.com/photos/a.jpg",
        "https://img.example.com\\@evil.example/photos/a.jpg",
        "https://img.example.com.evil.example/photos/a.jpg",
        "https://evil.example/#https://img.example.com/photos/",
        "https://evil.example/?https://img.example.com/photos/",
        "ftp://img.example.com/photos/a.jpg",
        "file:///etc/passwd",
        "local:///etc/../passwd",
        "s3://other/a.jpg",
        "s3://bucket/../a.jpg",
        "../a.jpg",
        "a/" + "x" * 3000,
        "",
    ],
)
def test_nothing_else_is(text: str) -> None:
    with pytest.raises(UnknownSource) as caught:
        SOURCES.find(text)
    assert "FILMROLL_SOURCES" in caught.value.detail
    assert len(caught.value.detail) < 300


def test_without_bases_there_are_ids_only() -> None:
    nothing = Sources([])
    assert nothing.find(ID).id == ID
    for text in ("a.jpg", "https://img.example.com/a.jpg"):
        with pytest.raises(UnknownSource):
            nothing.find(text)


def test_where_a_redirect_leads_is_looked_at_too() -> None:
    assert SOURCES.covers("https://img.example.com/photos/other.jpg")
    assert not SOURCES.covers("https://img.example.com/other.jpg")
    assert not SOURCES.covers("https://evil.example/photos/other.jpg")


@pytest.mark.parametrize(
    "entry",
    ["img.example.com", "https://img.example.com", "https://img.example.com/photos", "ftp://a/",
     "https://u@a/", "s3://bucket/", "https://a/?b/", "https://a/../"],
)  # fmt: skip
def test_a_base_out_of_form_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="end with a slash"):
        Sources([entry])
