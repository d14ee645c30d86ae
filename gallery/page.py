"""The page: one file that needs no other and no network."""

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from inspect import getdoc

from filmroll.instructions import OPERATIONS
from filmroll.model import Problem
from filmroll.ports import Picture
from gallery.examples import Example

Shown = tuple[Example, Picture | Problem]

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 1400px; margin: 2rem auto; padding: 0 1rem; }
nav a { margin-right: .8em; }
section > div { display: flex; flex-wrap: wrap; gap: 1.5rem; align-items: end; }
figure { margin: 0; max-width: 420px; }
figcaption { margin-top: .4rem; overflow-wrap: anywhere; }
figcaption small { opacity: .7; }
img { max-width: 100%; display: block;
  background: repeating-conic-gradient(#bbb 0 25%, #eee 0 50%) 0 0 / 16px 16px; }
.problem { border: 1px solid; padding: 1rem; }
"""


def page(sections: Mapping[str, Sequence[Shown]]) -> str:
    """Return the page in HTML; ``sections`` holds what was made for each operation."""
    links = " ".join(f'<a href="#{name}">{name}</a>' for name in sections)
    body = "\n".join(_section(name, shown) for name, shown in sections.items())
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Filmroll: gallery</title>
<style>{_STYLE}</style>
<h1>Every operation</h1>
<p>Made by the engine that serves, from the photographs in <code>tests/fixtures</code>. Under each
picture stand the instructions it was made by; those that name no <code>output</code> were given
<code>output:format=webp,quality=90</code>. A chequered board lies behind what is transparent.</p>
<nav>{links}</nav>
{body}
</html>
"""


def _section(name: str, shown: Iterable[Shown]) -> str:
    what = re.sub("``(.+?)``", r"<code>\1</code>", escape(getdoc(OPERATIONS[name]) or ""))
    figures = "\n".join(_figure(example, made) for example, made in shown)
    return f'<section id="{name}"><h2>{name}</h2><p>{what}</p>\n<div>{figures}</div></section>'


def _figure(example: Example, made: Picture | Problem) -> str:
    text = f"<code>{escape(example.text)}</code>"
    note = f" · {escape(example.note)}" if example.note else ""
    if isinstance(made, Problem):
        seen, facts = f'<p class="problem">{escape(made.detail)}</p>', made.code
    else:
        source = f"data:image/{made.format};base64,{b64encode(made.data).decode()}"
        seen = f'<img src="{source}" width="{made.width}" height="{made.height}" alt="">'
        facts = f"{made.width} × {made.height}, {made.format}, {len(made.data):,} bytes"
    caption = f"{text}<br><small>{example.photo}: {facts}{note}</small>"
    return f"<figure>{seen}<figcaption>{caption}</figcaption></figure>"
