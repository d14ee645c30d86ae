"""Every setting has its line in docs/settings.md, and every line its setting."""

import re
from pathlib import Path

from filmroll.settings import CLIENT_VARIABLES, PREFIX, Settings

PAGE = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()


def test_every_setting_is_documented_with_its_meaning() -> None:
    rows = dict(re.findall(r"^\| `(FILMROLL_\w+)` \|.*\| (.+) \|$", PAGE, re.MULTILINE))
    assert set(rows) == {PREFIX + name.upper() for name in Settings.model_fields}


def test_the_variables_of_the_client_are_documented() -> None:
    assert all(f"`{name}`" in PAGE for name in CLIENT_VARIABLES)
