"""Headers of other servers, honest and not."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from filmroll.fetch.answers import file_name, retry_after


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        (" 120 ", 120),
        ("999999999", 86_400),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Thu, 01 Jan 2970 00:00:00 GMT", 86_400),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
        ("9" * 5000, None),
        ("Thu, 99 Jan 99999 00:00:00 +9999", None),
    ],
)
def test_retry_after(text: str, seconds: int | None) -> None:
    assert retry_after(httpx.Headers({"retry-after": text.encode()})) == seconds


def test_retry_after_a_date() -> None:
    text = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert retry_after(httpx.Headers({"retry-after": text})) in range(57, 61)


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("", "last part.jpg"),
        ("inline", "last part.jpg"),
        ("attachment; filename=a.jpg", "a.jpg"),
        ('attachment; filename="a b.jpg"; size=3', "a b.jpg"),
        (r'attachment; filename="a \"b\".jpg"', 'a "b".jpg'),
        ("attachment; filename=\"e.jpg\"; filename*=UTF-8''%c3%bc.jpg", "ü.jpg"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ("attachment; filename*=utf-8''..%2F..%2Fetc%2Fpasswd", "passwd"),
        (r'attachment; filename="C:\\x\\a.jpg"', "a.jpg"),
        ("attachment; filename*=utf-8''a%00%0ab.jpg", "ab.jpg"),
        ('attachment; filename=".."', None),
        ('attachment; filename=""', None),
        (f"attachment; filename={'a' * 300}", "a" * 255),
    ],
)
def test_file_name(disposition: str, name: str | None) -> None:
    url = httpx.URL("https://images.example/a/last%20part.jpg?b=/c.png")
    assert file_name(url, httpx.Headers({"content-disposition": disposition})) == name


def test_a_url_without_a_name() -> None:
    assert file_name(httpx.URL("https://images.example/?a=b"), httpx.Headers()) is None
