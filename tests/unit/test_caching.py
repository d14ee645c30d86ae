"""How long copies may be kept."""

import pytest

from filmroll.model import now
from filmroll.web.access import Permit
from filmroll.web.representation import caching, fallback_caching

YEAR = 31_536_000


def words(header: tuple[bytes, bytes]) -> list[str]:
    name, value = header
    assert name == b"cache-control"
    return value.decode().split(", ")


def test_what_cannot_change_is_kept_for_ever() -> None:
    assert words(caching(Permit(), lasting=True)) == ["public", f"max-age={YEAR}", "immutable"]
    assert words(caching(Permit(shared=False), lasting=True))[0] == "private"


def test_what_can_change_is_looked_at_again_behind_backs() -> None:
    stale = ["stale-while-revalidate=300", "stale-if-error=86400"]
    assert words(caching(Permit(), lasting=False)) == ["public", "max-age=300", *stale]


@pytest.mark.parametrize(
    ("left", "lasting", "expected"),
    [
        (100, True, [100]),
        (100, False, [100]),
        (400, False, [300, 100, 100]),
        (1000, False, [300, 300, 700]),
        (-5, False, [0]),
        (-5, True, [0]),
    ],
)
def test_nothing_is_kept_past_its_signature(left, lasting, expected) -> None:
    found = words(caching(Permit(ends=int(now()) + left), lasting=lasting))
    seconds = [int(word.partition("=")[2]) for word in found if "=" in word]
    assert all(want - 1 <= got <= want for got, want in zip(seconds, expected, strict=True))


def test_a_stand_in_is_kept_for_a_minute() -> None:
    assert words(fallback_caching(Permit())) == ["public", "max-age=60"]
    assert words(fallback_caching(Permit(ends=0))) == ["public", "max-age=0"]
