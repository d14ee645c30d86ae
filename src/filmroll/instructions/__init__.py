"""The grammar of instructions: two spellings in, one canonical text out.

URL path:  ``crop:width=0.5,height=0.5,unit=ratio/resize:width=800/output:format=webp``
JSON:      ``[{"op": "resize", "width": 800}, {"op": "output", "format": "webp"}]``

A pure value: parse → validate → canonical text → recipe. The canonical text writes keys in the
order of the fields below, leaves defaults out and percent-encodes values, so equal instructions
have equal texts. A segment without ``:`` that is no operation is the name of a preset.
"""

from filmroll.instructions.grammar import (
    ENGINE_VERSION,
    MAX_OPERATIONS,
    PRESET_NAME,
    Instructions,
    parse,
    parse_canonical,
    parse_json,
    preset_names,
    presets_alone,
    recipe_of,
)
from filmroll.instructions.operations import (
    AUTO,
    AUTO_FORMATS,
    MAX_GROWN_PIXELS,
    MAX_SIDE,
    OPERATIONS,
    Adjust,
    Blur,
    Crop,
    Flip,
    Grayscale,
    Operation,
    Output,
    Pad,
    Pixelate,
    Resize,
    Rotate,
    Round,
    Sharpen,
    Trim,
    Watermark,
    operation_schema,
)
from filmroll.instructions.values import MAX_TEXT, writable

__all__ = [
    "AUTO",
    "AUTO_FORMATS",
    "ENGINE_VERSION",
    "MAX_GROWN_PIXELS",
    "MAX_OPERATIONS",
    "MAX_SIDE",
    "MAX_TEXT",
    "OPERATIONS",
    "PRESET_NAME",
    "Adjust",
    "Blur",
    "Crop",
    "Flip",
    "Grayscale",
    "Instructions",
    "Operation",
    "Output",
    "Pad",
    "Pixelate",
    "Resize",
    "Rotate",
    "Round",
    "Sharpen",
    "Trim",
    "Watermark",
    "operation_schema",
    "parse",
    "parse_canonical",
    "parse_json",
    "preset_names",
    "presets_alone",
    "recipe_of",
    "writable",
]
