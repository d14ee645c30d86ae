"""What docs/ says of delivery and of CDNs is what the code does."""

import json
import re
from pathlib import Path

from filmroll.model import PURGES
from filmroll.usecases.hints import FRUGAL, RATIOS, WIDTHS
from filmroll.usecases.hot import LARGEST_BYTES
from filmroll.usecases.webhooks import shaping
from filmroll.usecases.webhooks.events import PURGE_DELAY_SECONDS
from filmroll.web import elsewhere

DOCS = Path(__file__).parents[2] / "docs"
API = (DOCS / "http-api.md").read_text()
DEPLOY = (DOCS / "deploy.md").read_text()
HOOKS = (DOCS / "webhooks.md").read_text()
ACCEL = (DOCS.parent / "deploy" / "balancer" / "accel.conf").read_text()


def listed(numbers) -> str:
    *most, last = map(str, numbers)
    return f"{', '.join(most)} or {last}"


def test_the_classes_of_hints() -> None:
    assert f"its `dpr` is {listed(RATIOS)}:" in API
    assert f"`width` is {listed(WIDTHS)} |" in API
    words = {"jpeg": "JPEG", "webp": "WebP", "avif": "AVIF"}
    (first, quality), *others = ((words[kind], level) for kind, level in FRUGAL.items())
    said = f"`quality` is {quality} for {first}, "
    assert said + ", ".join(f"{level} for {kind}" for kind, level in others) in API


def test_every_cdn_of_the_table_can_be_called_as_it_says() -> None:
    table = DEPLOY.partition("| CDN |")[2].partition("\n\n")[0]
    rows = [row.split(" | ") for row in table.splitlines()[2:]]
    assert len(rows) == 4
    for name, _header, _url, headers, body in rows:
        said = json.loads(headers.strip("`").replace("…", "key"))
        posted = body.rstrip(" |").strip("`")
        posted = "" if posted == '""' else posted
        shaping.check(said, posted, PURGES)
        assert shaping.TAG in "".join([posted, *said.values()]), name
        assert not posted or json.loads(posted)


def test_the_forms_limits_are_published() -> None:
    assert (
        f"At most {shaping.MAX_HEADERS} headers of {shaping.MAX_HEADER:,} characters, "
        f"and {shaping.MAX_BODY:,} characters of body" in HOOKS
    )
    assert f"and {PURGE_DELAY_SECONDS:.0f} seconds later" in HOOKS


def test_who_sends_what_and_for_how_long() -> None:
    assert f"Of what has more than {LARGEST_BYTES >> 10} KiB" in DEPLOY
    assert f"good for {elsewhere.URL_SECONDS // 60} minutes" in DEPLOY
    assert f"may keep the redirect for {elsewhere.REDIRECT_SECONDS // 60}," in DEPLOY
    assert elsewhere.REDIRECT_SECONDS < elsewhere.URL_SECONDS


def test_nginx_says_again_what_its_page_names() -> None:
    for name, variable in re.findall(r"add_header (\S+) \$upstream_http_(\S+);", ACCEL):
        assert variable == name.lower().replace("-", "_")
