"""What each conditional write decides about uploads in parts; see ``rules``."""

from dataclasses import replace

from filmroll.model import Job, JobKind, JobState, Upload, UploadPart, UploadState

_ENDS = {
    JobState.SUCCEEDED: UploadState.COMPLETED,
    JobState.FAILED: UploadState.FAILED,
    JobState.CANCELLED: UploadState.ABORTED,
}


def updated(stored: Upload | None, upload: Upload) -> Upload | None:
    """Replace an upload by its next version."""
    if stored is None or stored.version != upload.version - 1:
        return None
    return upload


def with_part(
    stored: Upload | None, part: UploadPart, replaced: UploadPart | None, offset: int | None
) -> Upload | None:
    """Return an upload with one more part; None: it takes none, or not this one at this offset."""
    if stored is None or stored.state is not UploadState.OPEN:
        return None
    if offset is not None and (offset, part.number) != (stored.received, stored.parts + 1):
        return None
    return replace(
        stored,
        parts=stored.parts + (replaced is None),
        received=stored.received + part.bytes - (replaced.bytes if replaced else 0),
        expires_at=part.at + stored.lifetime,
        version=stored.version + 1,
    )


def ended(stored: Upload | None) -> bool:
    """Whether an upload needs its parts no more."""
    return stored is not None and stored.state.final


def forgotten(stored: Upload | None, upload: Upload) -> bool:
    """Whether an upload may be forgotten: it has ended, and nobody has gone on with it since."""
    return stored is not None and ended(stored) and stored.version == upload.version


def after_job(stored: Upload | None, job: Job) -> Upload | None:
    """Return what the end of its job makes of an upload; None: no change."""
    if job.kind is not JobKind.UPLOAD or not job.state.final:
        return None
    if stored is None or stored.state is not UploadState.COMPLETING:
        return None
    return replace(
        stored,
        state=_ENDS[job.state],
        image=job.image or None,
        problem=job.problem,
        expires_at=job.finished_at,
        version=stored.version + 1,
    )
