"""What becomes of an item that is offered to a ledger: decided here, for all ways it may come."""

from dataclasses import dataclass
from enum import StrEnum

from filmroll.model import Batch, BatchState, Image, Line, LineState
from filmroll.usecases.batch.lines import (
    Verdict,
    Word,
    closed_problem,
    is_open,
    other_bytes,
)

_KEPT = {LineState.SUCCEEDED, LineState.PROCESSING, LineState.CANCELLED}


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What is known of an item already."""

    line: Line | None = None
    alive: bool = False  # whether the image of the line is there
    twin: Image | None = None  # another image of the same bytes, if the batch cares

    @classmethod
    def of(cls, line: Line | None, *, alive: bool, twin: Image | None) -> "Known":
        """Put it together; the image of the line itself is no twin of it."""
        own = line is not None and twin is not None and line.image == twin.id
        return cls(line=line, alive=alive, twin=None if own else twin)


class Offer(StrEnum):
    """How an item is offered once more work is to be done for it."""

    NEW = "new"  # as what it is
    TWIN = "twin"  # as another name of an image that is there; or to be refused for that
    AGAIN = "again"  # its image is there, but its variants failed: to be made anew


def decide_declared(batch: Batch, ref: str, known: Known, sha256: str | None) -> Verdict | Offer:
    """Decide about an item of which a manifest speaks."""
    line = known.line
    if line is not None and line.state is LineState.QUEUED and not batch.state.final:
        return Verdict(ref=ref, word=Word.QUEUED, line=line)
    return _decide(batch, ref, known, sha256) or Verdict.rejected(ref, closed_problem(batch))


def decide_arrived(
    batch: Batch, ref: str, known: Known, sha256: str, *, fetched: bool
) -> Verdict | Offer:
    """Decide about an item whose bytes are here; ``fetched``: because a job got them."""
    line = known.line
    awaited = line is not None and line.state in {LineState.DECLARED, LineState.QUEUED}
    if line is not None and awaited and line.sha256 not in {None, sha256}:
        return Verdict.rejected(ref, other_bytes(line))
    if fetched and awaited and batch.state is BatchState.SEALED:
        return Offer.TWIN if known.twin else Offer.NEW
    return _decide(batch, ref, known, sha256) or Verdict.rejected(ref, closed_problem(batch))


def _decide(batch: Batch, ref: str, known: Known, sha256: str | None) -> Verdict | Offer | None:
    """Return what holds for every item; None: the batch has no place for it any more."""
    line = known.line
    same = line is not None and (sha256 is None or line.sha256 in {None, sha256})
    if line is not None and known.alive and line.state in _KEPT:
        if not same:
            return Verdict.rejected(ref, other_bytes(line))
        return Verdict(ref=ref, word=Word.HAVE, line=line)
    failed = line is not None and line.state is LineState.FAILED
    told = line is not None and failed and line.received and same and not is_open(batch)
    if line is not None and line.problem and told:  # these very bytes came, and this became of them
        return Verdict(ref=ref, word=Word.REJECTED, line=line, problem=line.problem.error())
    if not is_open(batch):
        return None
    if failed and known.alive and same:
        return Offer.AGAIN
    return Offer.TWIN if known.twin else Offer.NEW
