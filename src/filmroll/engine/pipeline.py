"""The way of a picture: header, limits, one decode, then every variant's steps in their order."""

import mmap
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import pyvips

from filmroll.engine import faces, loaders, plain
from filmroll.engine.canvas import Canvas
from filmroll.engine.choosing import shows
from filmroll.engine.faults import too_much_memory, too_much_output
from filmroll.engine.loaders import Source
from filmroll.engine.steps import attention
from filmroll.engine.steps.adjust import adjust
from filmroll.engine.steps.blur import blur
from filmroll.engine.steps.crop import crop
from filmroll.engine.steps.flip import flip
from filmroll.engine.steps.grayscale import grayscale
from filmroll.engine.steps.output import output
from filmroll.engine.steps.pad import pad
from filmroll.engine.steps.pixelate import pixelate
from filmroll.engine.steps.resize import resize
from filmroll.engine.steps.rotate import rotate
from filmroll.engine.steps.round import round_off
from filmroll.engine.steps.sharpen import sharpen
from filmroll.engine.steps.trim import trim
from filmroll.engine.steps.watermark import Overlays, watermark
from filmroll.errors import FilmrollError, InternalError, InvalidInstructions, UnknownWatermark
from filmroll.faces import require_detector
from filmroll.geometry import Size, crop_box, scaling, size_after
from filmroll.instructions import (
    AUTO,
    AUTO_FORMATS,
    Adjust,
    Blur,
    Crop,
    Flip,
    Grayscale,
    Instructions,
    Operation,
    Pad,
    Pixelate,
    Resize,
    Rotate,
    Round,
    Sharpen,
    Trim,
    Watermark,
)
from filmroll.limits import Limits
from filmroll.model import Problem
from filmroll.ports import Picture
from filmroll.stopwatch import Stopwatch

Data = mmap.mmap | bytes

_STEPS: Mapping[type[Operation], Callable[[Canvas, Any], Canvas]] = {
    Crop: crop,
    Resize: resize,
    Trim: trim,
    Pad: pad,
    Rotate: rotate,
    Flip: flip,
    Blur: blur,
    Sharpen: sharpen,
    Pixelate: pixelate,
    Adjust: adjust,
    Grayscale: grayscale,
    Round: round_off,
}
# Steps that read many pixels for one: what follows one of them must not have it done again for
# every tile that it reads.
_WIDE = (Blur, Sharpen)


def make(
    data: Data,
    wanted: Sequence[Instructions],
    overlays: Mapping[str, Data],
    limits: Limits,
    output_bytes: int = sys.maxsize,
    *,
    watch: Stopwatch | None = None,
) -> list[Picture | Problem]:
    """Return one result for each of ``wanted``, all from one decode, in ``output_bytes`` in all.

    A fault of one variant is a Problem in its place; one of the source raises CorruptImage,
    UnsupportedMedia, TooManyPixels, TooManyFrames or ProcessingLimit.
    """
    watch = watch or Stopwatch()
    source = loaders.open_source(data, limits)
    faults = [_fault(instructions, source) for instructions in wanted]
    sound = [item for item, fault in zip(wanted, faults, strict=True) if fault is None]
    if not sound:
        return [fault for fault in faults if fault is not None]
    canvas = decoded(source, sound)
    watch.lap("decode")
    opened = _overlays(overlays, limits)
    results: list[Picture | Problem] = []
    room = output_bytes
    for instructions, fault in zip(wanted, faults, strict=True):
        result = fault or _variant(canvas, instructions, source, opened)
        if isinstance(result, Picture):
            if len(result.data) > room:
                result = Problem.of(too_much_output(output_bytes))
            else:
                room -= len(result.data)
        results.append(result)
    watch.lap("encode")  # and the steps; of a stream, the decoding
    return results


def decoded(source: Source, wanted: Sequence[Instructions]) -> Canvas:
    """Decode once, as small as the largest of ``wanted`` allows."""
    least = min(_reduction(instructions, source.size) for instructions in wanted)
    shrink = loaders.shrink_for(source, least)
    animated = any(_animated(instructions, source) for instructions in wanted)
    if len(wanted) == 1 and not animated and source.orientation == 1 and _reads_all(wanted[0]):
        return loaders.stream(source, shrink)
    return loaders.decode(source, shrink, animated=animated)


def _variant(
    canvas: Canvas, instructions: Instructions, source: Source, overlays: Overlays
) -> Picture | Problem:
    if not _animated(instructions, source):
        canvas = canvas.first()
    try:
        for position, operation in enumerate(instructions.steps):
            canvas = _step(canvas, operation, overlays, position)
            if isinstance(operation, _WIDE) and position + 1 < len(instructions.steps):
                canvas = canvas.in_memory()
            if isinstance(operation, Trim):  # only now is it known what the others find
                size_after(instructions, canvas.size, position + 1)
        return _output(canvas, instructions, source)
    except FilmrollError as error:
        return Problem.of(error)
    except pyvips.Error as error:
        if plain.memory_ran_out(error):
            return Problem.of(too_much_memory())
        # Where the source was streamed, it may be to blame: then this says so.
        loaders.decode(source, 1, animated=False)
        fault = InternalError(f"The variant could not be made: {plain.words(error)}.")
        return Problem.of(fault)


def _output(canvas: Canvas, instructions: Instructions, source: Source) -> Picture:
    kind = _format(instructions, source)
    unscaled = canvas.size == source.size
    fair = len(source.data) if unscaled and shows(kind, source.header.format) else None
    try:
        return output(canvas, instructions.output, kind, fair)
    except InvalidInstructions as error:
        error.figures["pointer"] = f"/{len(instructions.steps)}{error.figures['pointer']}"
        raise


def _step(canvas: Canvas, operation: Operation, overlays: Overlays, position: int) -> Canvas:
    if isinstance(operation, Watermark):
        try:
            return watermark(canvas, operation, overlays)
        except InvalidInstructions as error:  # a text that cannot be drawn, an image that is gone
            error.figures["pointer"] = f"/{position}/{'image' if operation.image else 'text'}"
            raise
    return _STEPS[type(operation)](canvas, operation)


def _fault(instructions: Instructions, source: Source) -> Problem | None:
    """Return what can be said against the instructions before anything is decoded."""
    kind = _format(instructions, source)
    said = replace(instructions.output, format=kind).fault()
    if kind == AUTO:
        said = "format", "auto has to become a format, by what the client shows, before this"
    if said is not None:
        key, why = said
        pointer = f"/{len(instructions.steps)}/{key}"
        return Problem.of(InvalidInstructions(f"output: {key} {why}.", pointer=pointer))
    try:
        require_detector(instructions)
        size_after(instructions, source.size)
    except FilmrollError as error:
        return Problem.of(error)
    return None


def _reduction(instructions: Instructions, size: Size) -> float:
    """Return how many pixels of the source the first resize puts into one, crops considered.

    1 where something comes before it that needs the pixels themselves.
    """
    for operation in instructions.steps:
        match operation:
            case Crop(gravity=gravity) if gravity not in attention.WAYS:
                box = crop_box(operation, size)
                size = Size(box.width, box.height)
            case Resize():
                scaled = scaling(operation, size).scaled
                reduction = min(size.width / scaled.width, size.height / scaled.height)
                if operation.gravity == "face":  # which must not be lost to the decoder
                    return min(reduction, size.side / faces.SIDE)
                return reduction
            case _:
                break
    return 1.0


def _reads_all(instructions: Instructions) -> bool:
    """Whether every row of the source is read, once and in order: so that no damage is missed."""
    match instructions.steps:
        case ():
            return True
        case (Resize(fit=fit),):
            return fit != "cover"
        case _:
            return False


def _format(instructions: Instructions, source: Source) -> str:
    asked = instructions.output.format
    return source.header.format if asked == "same" else asked


def _animated(instructions: Instructions, source: Source) -> bool:
    """Whether an animation stays one: the output can hold it. Else its first frame is meant."""
    moving = source.header.format in loaders.ANIMATED and source.header.frames > 1
    return moving and _format(instructions, source) in {*loaders.ANIMATED, *AUTO_FORMATS}


def _overlays(files: Mapping[str, Data], limits: Limits) -> Overlays:
    """Return a function that decodes a watermark image when, and only if, it is needed."""

    @cache
    def overlay(image: str) -> Canvas:
        if image not in files:
            raise UnknownWatermark(f"The watermark image {image} does not exist.")
        try:
            return loaders.decode(loaders.open_source(files[image], limits), 1, animated=False)
        except FilmrollError as error:
            detail = f"The watermark image {image} cannot be used: {error.detail}"
            raise type(error)(detail, **error.figures) from error

    return overlay
