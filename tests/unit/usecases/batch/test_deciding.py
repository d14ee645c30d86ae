"""What becomes of an item, by the state of its batch and of its line."""

import pytest

from filmroll.model import Batch, BatchState, Line, LineState, OnDuplicate, Problem
from filmroll.usecases.batch.deciding import Known, Offer, decide_arrived, decide_declared
from filmroll.usecases.batch.lines import Verdict
from tests.contract.records import image

SHA, OTHER = "ab" * 32, "cd" * 32
PROBLEM = Problem(code="corrupt-image", detail="It ends early.")
OPEN, SEALED, CANCELLED = BatchState.OPEN, BatchState.SEALED, BatchState.CANCELLED
DONE = BatchState.COMPLETED


def batch(state: BatchState, on_duplicate: OnDuplicate = OnDuplicate.REUSE) -> Batch:
    return Batch(id="b", state=state, created_at=1, expires_at=2, on_duplicate=on_duplicate)


def known(state: LineState | None, *, alive: bool = True, twin: bool = False) -> Known:
    line = None
    if state is not None:
        kept = state not in {LineState.DECLARED, LineState.QUEUED}
        line = Line(
            batch="b",
            ref="r",
            state=state,
            at=1.0,
            sha256=SHA,
            received=kept,
            image="i" * 26 if kept else None,
            problem=PROBLEM if state is LineState.FAILED else None,
        )
    other = image(id="t" * 26, sha256=SHA) if twin else None
    return Known.of(line, alive=alive and line is not None and line.image is not None, twin=other)


def told(decided: Verdict | Offer) -> str:
    if isinstance(decided, Offer):
        return str(decided)
    return f"{decided.word} {decided.problem.code}" if decided.problem else str(decided.word)


DECLARED = [
    (OPEN, None, SHA, "new"),
    (DONE, None, SHA, "rejected conflict"),
    (OPEN, "declared", SHA, "new"),
    (OPEN, "declared", OTHER, "new"),  # nothing of it was sent yet
    (SEALED, "declared", SHA, "rejected conflict"),
    (OPEN, "queued", SHA, "queued"),
    (SEALED, "queued", SHA, "queued"),
    (CANCELLED, "queued", SHA, "rejected conflict"),
    (OPEN, "succeeded", SHA, "have"),
    (OPEN, "succeeded", None, "have"),
    (OPEN, "succeeded", OTHER, "rejected conflict"),
    (DONE, "succeeded", SHA, "have"),
    (CANCELLED, "processing", SHA, "have"),
    (OPEN, "failed", SHA, "again"),
    (OPEN, "failed", None, "again"),
    (OPEN, "failed", OTHER, "new"),
    (DONE, "failed", SHA, "rejected corrupt-image"),
    (DONE, "failed", OTHER, "rejected conflict"),
]


@pytest.mark.parametrize(("state", "line", "sha256", "outcome"), DECLARED)
def test_what_a_manifest_is_told(state, line, sha256, outcome):
    what = known(LineState(line) if line else None)
    assert told(decide_declared(batch(state), "r", what, sha256)) == outcome


ARRIVED = [
    (OPEN, None, SHA, False, "new"),
    (SEALED, None, SHA, False, "rejected conflict"),
    (OPEN, "declared", SHA, False, "new"),
    (OPEN, "declared", OTHER, False, "rejected conflict"),
    (SEALED, "declared", SHA, False, "rejected conflict"),
    (SEALED, "queued", SHA, False, "rejected conflict"),  # the job's, not a client's
    (SEALED, "queued", SHA, True, "new"),
    (CANCELLED, "queued", SHA, True, "rejected conflict"),
    (OPEN, "succeeded", SHA, False, "have"),
    (OPEN, "succeeded", OTHER, False, "rejected conflict"),
    (DONE, "succeeded", SHA, False, "have"),
    (OPEN, "failed", SHA, False, "again"),
    (OPEN, "failed", OTHER, False, "new"),
    (DONE, "failed", SHA, False, "rejected corrupt-image"),
]


@pytest.mark.parametrize(("state", "line", "sha256", "fetched", "outcome"), ARRIVED)
def test_what_becomes_of_bytes(state, line, sha256, fetched, outcome):
    what = known(LineState(line) if line else None)
    assert told(decide_arrived(batch(state), "r", what, sha256, fetched=fetched)) == outcome


@pytest.mark.parametrize("line", ["succeeded", "processing", "cancelled", "failed"])
def test_where_the_image_is_gone_the_item_is_new(line):
    gone = known(LineState(line), alive=False)
    assert told(decide_declared(batch(OPEN), "r", gone, SHA)) == "new"
    assert told(decide_arrived(batch(OPEN), "r", gone, SHA, fetched=False)) == "new"
    assert told(decide_declared(batch(DONE), "r", gone, SHA)).startswith("rejected")


def test_other_images_of_the_same_bytes():
    twin = known(None, twin=True)
    assert told(decide_declared(batch(OPEN), "r", twin, SHA)) == "twin"
    assert told(decide_arrived(batch(OPEN), "r", twin, SHA, fetched=False)) == "twin"
    # what is kept elsewhere is not in a batch that takes no more
    for asked in (batch(DONE), batch(DONE, OnDuplicate.REJECT)):
        assert told(decide_declared(asked, "r", twin, SHA)) == "rejected conflict"
    # a line that failed is told so, although the same bytes are kept elsewhere
    failed = known(LineState.FAILED, twin=True)
    assert told(decide_declared(batch(DONE), "r", failed, SHA)) == "rejected corrupt-image"


def test_the_own_image_is_no_twin():
    line = Line(batch="b", ref="r", state=LineState.FAILED, at=1.0, sha256=SHA, image="i" * 26)
    own = Known.of(line, alive=True, twin=image(id="i" * 26, sha256=SHA))
    assert own.twin is None
    assert told(decide_declared(batch(OPEN, OnDuplicate.REJECT), "r", own, SHA)) == "again"
