"""What is said of an item, what a ledger answers, and the jobs that lines wait for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from filmroll.errors import Conflict, FilmrollError, InvalidRequest, NotFound
from filmroll.instructions import Instructions, parse_canonical, writable
from filmroll.model import Action, Batch, BatchState, Job, JobKind, Lane, Line, line_job
from filmroll.usecases.images import MAX_NAME, Annotations

MAX_REF_BYTES = 1024
IMPORTS = "import/"  # what the keys of objects begin with that a line may name as its source


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What a client says of an item beside its bytes; None: nothing, so the ledger's word holds."""

    name: str | None = None
    tags: tuple[str, ...] | None = None
    metadata: Mapping[str, Any] | None = None
    variants: tuple[Instructions, ...] | None = None

    def completed(self, line: Line | None) -> "Said":
        """Add what the ledger says already."""
        if line is None:
            return self
        own = (
            None
            if line.variants is None
            else tuple(parse_canonical(text) for text in line.variants)
        )
        return Said(
            name=line.name if self.name is None else self.name,
            tags=line.tags if self.tags is None else self.tags,
            metadata=line.metadata if self.metadata is None else self.metadata,
            variants=own if self.variants is None else self.variants,
        )

    def check(self) -> "Said":
        """Return self; raise InvalidRequest for what no image may carry."""
        Annotations(name=self.name or None, tags=self.tags, metadata=self.metadata).check()
        return self

    def annotations(self, ref: str) -> Annotations:
        """Return what the image is to carry. Its default name is its ref's.

        The last part of a path says more about a picture than no name.
        """
        name = ref.rpartition("/")[2][:MAX_NAME] if self.name is None else self.name
        return Annotations(name=name or None, tags=self.tags, metadata=self.metadata)

    def texts(self) -> tuple[str, ...] | None:
        """Return the item's own variants as the ledger keeps them."""
        if self.variants is None:
            return None
        return tuple(one.canonical() for one in self.variants)


class Word(StrEnum):
    """What a ledger answers to an item."""

    STORED = "stored"  # durable now
    HAVE = "have"  # was there before
    NEED = "need"  # its bytes are awaited
    QUEUED = "queued"  # will be fetched
    REJECTED = "rejected"
    SKIPPED = "skipped"  # left out of an archive; ``reason`` says why


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The answer to one item; ``problem`` with REJECTED, ``line`` if there is one."""

    ref: str
    word: Word
    line: Line | None = None
    problem: FilmrollError | None = None
    reason: str | None = None

    @classmethod
    def rejected(cls, ref: str, problem: FilmrollError) -> "Verdict":
        """Return a refusal."""
        return cls(ref=ref, word=Word.REJECTED, problem=problem)


def require_ref(ref: str) -> str:
    """Return a ref that may be one; raise InvalidRequest."""
    size = len(ref.encode(errors="surrogatepass"))
    if not 0 < size <= MAX_REF_BYTES or not writable(ref):
        raise InvalidRequest(
            f"A ref has 1 to {MAX_REF_BYTES} bytes of UTF-8, none of them a control character.",
            pointer="/ref",
            limit=MAX_REF_BYTES,
            actual=size,
        )
    return ref


def require_source(source: str) -> None:
    """Raise InvalidRequest unless a source is a URL, or the key of an object to import."""
    imported = source.startswith(IMPORTS) and ".." not in source.split("/")
    if not imported and not is_url(source):
        raise InvalidRequest(
            f"A source is a URL of http or https, or an object whose key begins with {IMPORTS}.",
            pointer="/source",
        )


def is_url(text: str) -> bool:
    """Whether a text has the form of a URL that can be fetched."""
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return False


def closed_problem(batch: Batch) -> Conflict:
    """Return what an item is told for which a batch has no place any more."""
    return Conflict(
        f"The batch is {batch.state}; it takes no more items. Send this one in a new batch.",
        state=batch.state,
    )


def require_upload(batch: Batch) -> None:
    """Raise Conflict unless items may be sent into a batch.

    The lines of one that acts on images are its own: each of them says what is to be deleted.
    """
    if batch.action is not Action.UPLOAD:
        raise Conflict("The batch acts on images that are there. Send this into another batch.")


def other_bytes(line: Line) -> Conflict:
    """Return what somebody is told who sends other bytes under a ref."""
    return Conflict(
        "Other bytes were declared or sent under this ref. Send these under another one.",
        expected=line.sha256,
    )


def known(batch: Batch | None) -> Batch:
    """Return a batch that was looked for; raise NotFound if there is none."""
    if batch is None:
        raise NotFound("There is no batch with this id.")
    return batch


def is_open(batch: Batch) -> bool:
    """Whether a batch takes new items."""
    return batch.state is BatchState.OPEN


def wanted(batch: Batch, said: Said) -> tuple[Instructions, ...]:
    """Return the variants to make of an item."""
    if said.variants is not None:
        return said.variants
    return tuple(parse_canonical(text) for text in batch.variants)


def own_variants(batch: Batch, line: Line) -> tuple[str, ...]:
    """Return the variants to make of a line's image: its own, else those of the batch."""
    return batch.variants if line.variants is None else line.variants


def fetch_job(batch: Batch, line: Line, due_at: float) -> Job:
    """Return the job that fetches the item of a line."""
    return Job(
        id=line_job(JobKind.FETCH, line.batch, line.ref),
        image="",
        instructions=own_variants(batch, line),
        created_at=line.at,
        due_at=due_at,
        kind=JobKind.FETCH,
        lane=Lane.IO,
        batch=line.batch,
        ref=line.ref,
        source=line.source,
    )


def variants_job(line: Line, instructions: Sequence[str], due_at: float) -> Job:
    """Return the job that makes the variants of a line's image."""
    assert line.image is not None, "variants are made of an image"
    shared = line_job(JobKind.VARIANTS, line.batch, line.ref)
    return Job(
        id=shared if line.duplicate else line.image,
        image=line.image,
        instructions=tuple(instructions),
        created_at=line.at,
        due_at=due_at,
        lane=Lane.BULK,
        batch=line.batch,
        ref=line.ref,
    )


def info_job(line: Line, due_at: float) -> Job:
    """Return the job that looks at a line's image; in the place of one that makes variants."""
    return replace(variants_job(line, (), due_at), kind=JobKind.INFO)
