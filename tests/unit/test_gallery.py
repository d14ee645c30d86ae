"""The gallery shows every operation, and every picture of it can be made."""

import re

from filmroll.instructions import OPERATIONS, parse
from filmroll.ports import Picture
from gallery.__main__ import make
from gallery.examples import SECTIONS, Example
from gallery.page import page


def test_every_operation_has_a_section_of_its_own_examples() -> None:
    assert list(SECTIONS) == list(OPERATIONS)
    for name, examples in SECTIONS.items():
        shown = [{op.op for op in parse(example.text).operations} for example in examples]
        assert sum(name in ops for ops in shown) >= 1
        notes = [
            example.note for example, ops in zip(examples, shown, strict=True) if name not in ops
        ]
        assert set(notes) <= {"", "before"}


async def test_every_picture_is_made_and_the_page_holds_all_of_it() -> None:
    made = await make(SECTIONS)
    faults = [
        (example.text, result)
        for shown in made.values()
        for example, result in shown
        if not isinstance(result, Picture)
    ]
    assert faults == []
    html = page(made)
    assert html.count("<figure>") == sum(map(len, SECTIONS.values()))
    assert set(re.findall(r'(?:src|href)="([a-z]*:|#)', html)) == {"data:", "#"}  # nothing to load


async def test_what_cannot_be_made_is_said_in_its_place() -> None:
    made = await make({"crop": [Example("dune", "crop:width=5000")]})
    assert "The crop leaves the picture" in page(made)
