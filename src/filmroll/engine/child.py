"""The process that touches foreign bytes: one request after the other, until its parent is gone.

Started by ``process`` as ``python -m filmroll.engine.child SETTINGS`` with the socket as standard
input. A defect here ends the process; its last words go to standard error, for the log.
"""

import json
import mmap
import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from filmroll.engine import pipeline, sandbox, selfcheck, wire
from filmroll.engine.faults import too_much_memory
from filmroll.engine.info.describe import describe
from filmroll.engine.loaders import restrict
from filmroll.errors import FilmrollError
from filmroll.instructions import parse_canonical
from filmroll.limits import Limits
from filmroll.model import Problem
from filmroll.ports import Picture
from filmroll.stopwatch import Stopwatch


def main() -> None:
    """Serve requests until the parent hangs up."""
    settings = json.loads(sys.argv[1])
    limits = Limits(**settings["limits"])
    sandbox.confine(settings["memory"], settings["niceness"])
    restrict()
    os.set_blocking(sys.stderr.fileno(), False)  # nobody may read until the end
    with socket.socket(fileno=sys.stdin.fileno()) as parent:
        wire.send(parent, {"ready": True})
        try:
            while True:
                request, descriptors = wire.receive(parent)
                sandbox.allow_cpu(settings["seconds"])
                files = [_mapped(descriptor) for descriptor in descriptors]
                wire.send(parent, *_answer(request, files, limits, settings["output"]))
        except (wire.Hangup, ConnectionError):
            return


def _answer(
    request: dict[str, Any], files: Sequence[pipeline.Data], limits: Limits, output: int
) -> tuple[dict[str, Any], list[bytes]]:
    if request.get("check"):
        return {"check": selfcheck.report()}, []
    watch = Stopwatch()
    try:
        if request.get("info"):
            return {"info": asdict(describe(files[0], limits))}, []
        wanted = [parse_canonical(text) for text in request["wanted"]]
        overlays = dict(zip(request["overlays"], files[1:], strict=True))
        results = pipeline.make(files[0], wanted, overlays, limits, output, watch=watch)
    except FilmrollError as error:
        return {"problem": asdict(Problem.of(error))}, []
    except MemoryError:
        return {"problem": asdict(Problem.of(too_much_memory()))}, []
    message = {"results": [_entry(result) for result in results], "spent": watch.laps}
    return message, [result.data for result in results if isinstance(result, Picture)]


def _entry(result: Picture | Problem) -> dict[str, Any]:
    if isinstance(result, Problem):
        return {"problem": asdict(result)}
    return {
        "format": result.format,
        "width": result.width,
        "height": result.height,
        "frames": result.frames,
    }


def _mapped(descriptor: int) -> pipeline.Data:
    """Map a file into memory: this leaves alone the position, which all holders share."""
    try:
        if os.fstat(descriptor).st_size == 0:
            return b""
        return mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    main()
