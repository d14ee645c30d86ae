"""A folder of many small JPEGs, no two alike: the public yardstick of bulk uploads."""

from pathlib import Path

from benchmarks.photographs import numbered, photographs, small, with_serial

BYTES = 4096
_PER_FOLDER = 1000


def small_files(folder: Path, count: int) -> Path:
    """Return a folder that holds ``count`` files of 4 KB, a thousand in each of its folders.

    What is there already is not made again.
    """
    template = with_serial(small(photographs(folder.parent / "photographs")[0], 96), BYTES)
    for start in range(0, count, _PER_FOLDER):
        inner = folder / f"{start // _PER_FOLDER:03}"
        if inner.exists():
            continue
        draft = inner.with_suffix(".new")
        draft.mkdir(parents=True, exist_ok=True)
        for number in range(start, min(start + _PER_FOLDER, count)):
            (draft / f"{number:06}.jpg").write_bytes(numbered(template, number))
        draft.rename(inner)
    return folder
