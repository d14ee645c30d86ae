"""Spellings of URLs and hosts: one canonical form, or a refusal."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmroll.errors import FetchFailed
from filmroll.fetch.urls import redirected, target


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("http://example.com", "http://example.com"),
        ("HTTP://EXAMPLE.com:80/A?b=C#d", "http://example.com/A?b=C"),
        ("https://example.com:443/", "https://example.com/"),
        ("https://example.com./a", "https://example.com/a"),
        ("https://example.com:8443/a%2Fb%20c", "https://example.com:8443/a%2Fb%20c"),
        ("https://example.com/a b/ü", "https://example.com/a%20b/%C3%BC"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://my_bucket.example.com/", "https://my_bucket.example.com/"),
        ("http://127.0.0.1./", "http://127.0.0.1/"),
        ("http://127。0。0。1/", "http://127.0.0.1/"),
        ("http://[::1]/", "http://[::1]/"),
        ("http://[0:0::0001]:8080/", "http://[::1]:8080/"),
        ("http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/"),
        ("http://1.example/", "http://1.example/"),
    ],
)
def test_canonical(text: str, canonical: str) -> None:
    assert str(target(text)) == str(httpx.URL(canonical))
    assert target(text).raw_host == httpx.URL(canonical).raw_host


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com/a.jpg",
        "//example.com/a.jpg",
        "http:///a.jpg",
        "http://",
        "file:///etc/passwd",
        "ftp://example.com/a.jpg",
        "gopher://example.com/",
        "data:image/png;base64,AAAA",
        " http://example.com/",
        "http://exa mple.com/",
        "http://example.com/\r\nX-Injected: 1",
        "http://example.com\t/",
        "http://user@example.com/",
        "http://user:password@example.com/",
        "http://example.com\\@127.0.0.1/",
        "http://127.0.0.1\\.example.com/",
        "http://example.com:0/",
        "http://example.com:65536/",
        "http://example.com:-1/",
        "http://example.com:8o/",
        "http://example.com:80:90/",
        "http://exa..mple.com/",
        "http://example.com../",
        "http://./",
        "http://-example.com/",
        "http://" + "a" * 64 + ".com/",
        "http://" + "a." * 127 + "com/",
        "http://127.1/",
        "http://127.0.1/",
        "http://0x7f.1/",
        "http://0x7f000001/",
        "http://0x/",
        "http://2130706433/",
        "http://0177.0.0.1/",
        "http://017700000001/",
        "http://127.0.0.0x1/",
        "http://127.0.0.01/",
        "http://127.0.0.256/",
        "http://127.0.0.1.1/",
        "http://0/",
        "http://127%2e0%2e0%2e1/",
        "http://%6cocalhost/",
        "http://127.0.0.1/".translate({ord(digit): ord(digit) + 0xFEE0 for digit in "0127"}),
        "http://①②⑦.0.0.1/",
        "http://[::1%25lo]/",
        "http://[fe80::1%eth0]/",
        "http://[fe80::1%25eth0]/",
        "http://[::1/",
        "http://::1/",
        "http://[127.0.0.1]/",
        "http://[v1.fe80]/",
        "http://exa\ud800mple.com/",
        "http://example.com/\ud800",
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(FetchFailed):
        target(text)


@pytest.mark.parametrize(
    ("start", "location", "end"),
    [
        ("http://a.example/x/y", "z?q", "http://a.example/x/z?q"),
        ("http://a.example/x", "//b.example/y", "http://b.example/y"),
        ("http://a.example/x", "https://b.example/y", "https://b.example/y"),
        ("https://a.example/x", "/y#z", "https://a.example/y"),
        ("https://a.example:8443/x", "/y", "https://a.example:8443/y"),
    ],
)
def test_redirected(start: str, location: str, end: str) -> None:
    assert str(redirected(httpx.URL(start), location)) == end


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "http://a.example/", "https://u@a.example/", "https://["]
)
def test_redirects_that_are_not_followed(location: str) -> None:
    with pytest.raises(FetchFailed):
        redirected(httpx.URL("https://a.example/x"), location)


_PIECES = st.sampled_from(
    [
        "http",
        "https",
        "://",
        "//",
        ":",
        "/",
        "@",
        "[",
        "]",
        "%",
        "\\",
        ".",
        "127",
        "0x7f",
        "::1",
        "。",
    ]
)


@given(st.lists(_PIECES | st.text(max_size=4), max_size=12).map("".join))
def test_never_another_error(text: str) -> None:
    for url in (text, "http://" + text):
        try:
            found = target(url)
        except FetchFailed:
            continue
        assert target(str(found)) == found
