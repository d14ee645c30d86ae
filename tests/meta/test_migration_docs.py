"""docs/migration.md names every filter of thumbor's and every option of imgproxy's that is read."""

import re
from pathlib import Path

import pytest

from filmroll.migration import parse_presets
from filmroll.migration.imgproxy.options import _NAMES
from filmroll.migration.thumbor.filters import _ELSEWHERE, _FILTERS, _WITHOUT
from filmroll.settings import Settings

PAGE = (Path(__file__).parents[2] / "docs" / "migration.md").read_text()
THUMBOR, IMGPROXY = PAGE.split("## What thumbor's")[1].split("## What imgproxy's")


def named(text: str) -> set[str]:
    """Return the words within backticks, without their arguments."""
    return {word for code in re.findall(r"`([^`]+)`", text) for word in re.findall(r"[\w-]+", code)}


@pytest.mark.parametrize("name", sorted({*_FILTERS, *_ELSEWHERE, *_WITHOUT, "fill"}))
def test_every_filter_is_named(name: str) -> None:
    assert name in named(THUMBOR)


@pytest.mark.parametrize("names", sorted(_NAMES))
def test_every_option_is_named(names: str) -> None:
    assert names.split(maxsplit=1)[0] in named(IMGPROXY)


def test_the_settings_that_are_named_exist_and_hold() -> None:
    settings = set(re.findall(r"FILMROLL_(\w+)", PAGE))
    assert {name.lower() for name in settings} <= set(Settings.model_fields)
    (presets,) = re.findall(r"FILMROLL_IMGPROXY_PRESETS=(\S+)`", PAGE)
    assert parse_presets(presets) == {"default": ("format:best",)}
    (sources,) = re.findall(r"FILMROLL_SOURCES=(\S+)", PAGE)
    assert Settings(sources=sources).source_bases.find("s3://photos/a.jpg").url is not None
