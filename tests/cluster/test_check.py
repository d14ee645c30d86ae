"""``filmroll check`` on stores that are elsewhere."""

import re
import subprocess
import sys

import pytest

from deploy.local.process import clean_environment
from tests.faults.wire import Harm


def check(variables: dict[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "filmroll", "check"],
        env=clean_environment() | variables | {"COLUMNS": "300"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def row(table: str, part: str) -> str:
    return next(line for line in table.splitlines() if re.search(rf"\b{part}\b", line))


def test_clocks_that_agree_are_right(lines, data):
    code, table = check({**lines.variables, "FILMROLL_DATA": str(data)})
    assert code == 0, table
    for part in ("blobs", "catalog", "queue"):
        assert "clock: right" in row(table, part)


@pytest.mark.parametrize(
    ("line", "parts"), [("s3", ("blobs",)), ("aws", ("catalog", "queue"))], ids=["S3", "the rest"]
)
def test_a_clock_that_is_off_fails(lines, data, line, parts):
    getattr(lines, line).harm = lambda _: Harm.AHEAD
    code, table = check({**lines.variables, "FILMROLL_DATA": str(data)})
    assert code == 1
    for part in ("blobs", "catalog", "queue"):
        assert ("failed" in row(table, part)) == (part in parts), table
        assert ("behind" in row(table, part)) == (part in parts), table
    assert "NTP" in table
