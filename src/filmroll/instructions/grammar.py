"""The two spellings: reading them, and writing the canonical text."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import quote, unquote

from filmroll.errors import InvalidInstructions, UnknownPreset
from filmroll.instructions.operations import (
    AUTO,
    OPERATIONS,
    Operation,
    Output,
    Watermark,
)

# Covers the pipeline and the encoders: a new value makes every recipe new, so that whatever an
# upgrade changes is made again. A test holds it against the libvips that is installed.
ENGINE_VERSION = "2/vips-8.18"

MAX_OPERATIONS = 32
PRESET_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True)
class Instructions:
    """Operations in the order in which they run; ``output`` is the last, if there is one.

    What follows from them is worked out once.
    """

    operations: tuple[Operation, ...]

    @property
    def steps(self) -> tuple[Operation, ...]:
        """The operations before ``output``."""
        return tuple(op for op in self.operations if not isinstance(op, Output))

    @property
    def output(self) -> Output:
        """How to write the picture."""
        last = self.operations[-1]
        return last if isinstance(last, Output) else Output()

    @property
    def watermarks(self) -> tuple[str, ...]:
        """Ids of the images that are laid over, each once."""
        ids = (op.image for op in self.operations if isinstance(op, Watermark) and op.image)
        return tuple(dict.fromkeys(ids))

    @property
    def automatic(self) -> bool:
        """Whether the format depends on who asks: only ``resolved`` ones can be carried out."""
        return self.output.format == AUTO

    def resolved(self, choice: str) -> "Instructions":
        """Return what ``format=auto`` means to some: ``choice`` is one of AUTO_FORMATS."""
        if not self.automatic:
            return self
        return self.written(replace(self.output, format=choice))

    def written(self, output: Output) -> "Instructions":
        """Return the same steps, with another output."""
        return Instructions((*self.steps, output))

    def canonical(self) -> str:
        """Return the one text of these instructions."""
        return self._canonical

    def recipe(self) -> str:
        """Return the hash of the canonical text and the engine's version: 32 hex digits."""
        return self._recipe

    @cached_property
    def _canonical(self) -> str:
        return "/".join(_write(op) for op in self.operations)

    @cached_property
    def _recipe(self) -> str:
        return recipe_of(self._canonical)


def parse(text: str, presets: Mapping[str, str] | None = None) -> Instructions:
    """Read the path spelling. ``presets`` maps names to canonical texts.

    Raises InvalidInstructions with a ``pointer`` (``/1/width``: operation 1, key width), or
    UnknownPreset.
    """
    operations: list[Operation] = []
    for position, segment in enumerate(_segments(text)):
        name, colon, rest = segment.partition(":")
        if name in OPERATIONS:
            operations.append(_read(position, name, _pairs(position, rest) if colon else ()))
        elif colon:
            raise _unknown_operation(position, name)
        else:
            operations += _preset(position, name, presets or {}).operations
    return _sequence(operations)


@lru_cache(1024)
def parse_canonical(text: str) -> Instructions:
    """Read a canonical text of our own, which names no preset: mostly one of a few."""
    return parse(text)


def parse_json(items: Any) -> Instructions:
    """Read the JSON spelling: a list of objects with ``op`` and the operation's keys.

    Raises InvalidInstructions with a ``pointer``, as ``parse`` does.
    """
    if not isinstance(items, list) or not items:
        raise InvalidInstructions("Give a list with at least one operation.", pointer="")
    _count(items)
    operations: list[Operation] = []
    for position, item in enumerate(items):
        if not isinstance(item, dict) or "op" not in item:
            fault = 'An operation is an object such as {"op": "resize", "width": 800}.'
            raise InvalidInstructions(fault, pointer=f"/{position}")
        name = item["op"]
        if not isinstance(name, str) or name not in OPERATIONS:
            raise _unknown_operation(position, str(name), key="/op")
        operations.append(_read(position, name, [pair for pair in item.items() if pair[0] != "op"]))
    return _sequence(operations)


def preset_names(text: str) -> tuple[str, ...]:
    """Return the names of the presets that a text in the path spelling refers to."""
    names = (unquote(part) for part in _segments(text) if ":" not in part)
    return tuple(dict.fromkeys(name for name in names if name not in OPERATIONS))


def presets_alone(text: str) -> bool:
    """Whether a text in the path spelling is made of presets and nothing else."""
    return all(":" not in part and part not in OPERATIONS for part in _segments(text))


def recipe_of(canonical: str) -> str:
    """Return the recipe of a canonical text."""
    text = f"{ENGINE_VERSION}\n{canonical}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _segments(text: str) -> list[str]:
    segments = text.strip("/").split("/")
    if segments == [""]:
        raise InvalidInstructions("Give at least one operation or preset.", pointer="")
    _count(segments)
    return segments


def _count(operations: Sequence[Any]) -> None:
    if len(operations) > MAX_OPERATIONS:
        raise InvalidInstructions(
            f"At most {MAX_OPERATIONS} operations; these are {len(operations)}.",
            pointer="",
            limit=MAX_OPERATIONS,
            actual=len(operations),
        )


def _pairs(position: int, text: str) -> Iterator[tuple[str, str]]:
    for pair in text.split(","):
        key, equals, value = pair.partition("=")
        if not equals:
            raise InvalidInstructions(
                f"Write key=value, not {_shown(pair)}.", pointer=f"/{position}"
            )
        try:
            yield key, unquote(value, errors="strict")
        except UnicodeDecodeError:
            raise InvalidInstructions(
                f"{key}={_shown(value)} is not percent-encoded UTF-8.",
                pointer=f"/{position}/{_pointer_part(key)}",
            ) from None


def _read(position: int, name: str, pairs: Any) -> Operation:
    kind = OPERATIONS[name]
    keys = {key.name: key for key in fields(kind)}
    shorts = {key.metadata["short"]: key.name for key in fields(kind) if key.metadata["short"]}
    values: dict[str, Any] = {}
    for spelling, raw in pairs:
        key = shorts.get(spelling, spelling)
        pointer = f"/{position}/{_pointer_part(key)}"
        if key not in keys:
            known = ", ".join(keys) or "none"
            raise InvalidInstructions(
                f"{name} has no key {_shown(key)}; it has {known}.", pointer=pointer
            )
        if key in values:
            raise InvalidInstructions(f"{key} is given twice.", pointer=pointer)
        if raw is None:
            continue
        try:
            values[key] = keys[key].metadata["value"].read(raw)
        except ValueError as fault:
            raise InvalidInstructions(f"{name}: {key} {fault}.", pointer=pointer) from None
    operation = kind(**values)
    contradiction = operation.fault()
    if contradiction:
        key, why = contradiction
        raise InvalidInstructions(f"{name}: {key} {why}.", pointer=f"/{position}/{key}")
    return operation


def _preset(position: int, segment: str, presets: Mapping[str, str]) -> Instructions:
    name = unquote(segment)
    if name not in presets:
        raise UnknownPreset(
            f"{_shown(name)} is neither an operation ({', '.join(OPERATIONS)}) nor a preset.",
            pointer=f"/{position}",
        )
    return parse(presets[name])


def _sequence(operations: list[Operation]) -> Instructions:
    _count(operations)
    for position, operation in enumerate(operations[:-1]):
        if isinstance(operation, Output):
            raise InvalidInstructions(
                "output comes last, and at most once.", pointer=f"/{position}"
            )
    if len(operations) > 1 and operations[-1] == Output():
        operations = operations[:-1]  # it says nothing, so it must not make another recipe
    return Instructions(tuple(operations))


def _write(operation: Operation) -> str:
    pairs = [
        f"{key.name}={_write_value(getattr(operation, key.name))}"
        for key in fields(operation)
        if getattr(operation, key.name) != key.default
    ]
    return f"{operation.op}:{','.join(pairs)}" if pairs else operation.op


def _write_value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return quote(value, safe="") if isinstance(value, str) else repr(value)


def _unknown_operation(position: int, name: str, key: str = "") -> InvalidInstructions:
    return InvalidInstructions(
        f"There is no operation {_shown(name)}; there are {', '.join(OPERATIONS)}.",
        pointer=f"/{position}{key}",
    )


def _shown(text: str) -> str:
    """Quote what the client sent, short enough for a message."""
    longest = 40
    return repr(text if len(text) <= longest else text[:longest] + "…")


def _pointer_part(key: str) -> str:
    """Escape a key for a JSON pointer (RFC 6901) that can be written as UTF-8."""
    text = key[:40].encode(errors="backslashreplace").decode()
    return text.replace("~", "~0").replace("/", "~1")
