"""imgproxy's URLs, read."""

from dataclasses import dataclass, field

from filmroll.instructions import Instructions
from filmroll.migration.imgproxy.options import Options, Presets
from filmroll.migration.imgproxy.plan import instructions
from filmroll.migration.imgproxy.url import parse, parse_presets, restored
from filmroll.migration.plan import Mark, Plan
from filmroll.model import Header

__all__ = ["Imgproxy", "ImgproxyUrl", "Presets", "parse_presets", "restored"]


@dataclass(frozen=True, slots=True)
class ImgproxyUrl:
    """What a URL asks for; see ``filmroll.migration.Foreign``."""

    source: str
    options: Options

    @property
    def expires(self) -> int | None:
        """When the URL's time is over, in seconds since the epoch."""
        return self.options.expires

    @property
    def attachment(self) -> str | None:
        """Under which name to save the picture; None to show it."""
        if not self.options.return_attachment:
            return None
        return self.options.filename or self.source.rpartition("/")[2]

    @property
    def lasting(self) -> bool:
        """Whether the URL means the same under whatever settings."""
        return not self.options.by_settings

    @property
    def perhaps_whole(self) -> bool:
        """Whether it may ask for the source as it is."""
        return self.options.raw or bool(self.options.skip_processing)

    def instructions(self, header: Header | None, mark: Mark) -> Instructions | None:
        """Return what to do with the source; None for the source as it is."""
        return instructions(self.options, Plan(header, mark))


@dataclass(frozen=True, kw_only=True, slots=True)
class Imgproxy:
    """What of imgproxy's settings says what its URLs mean."""

    presets: Presets = field(default_factory=dict)
    watermark: str | None = None  # the source of the mark that is laid over

    def read(self, path: str) -> ImgproxyUrl:
        """Read what follows the signature, percent-encoded as it was sent."""
        request = parse(path, self.presets)
        options = request.options
        if options.watermark is not None and options.watermark_url is None:
            options.watermark_url = self.watermark
            options.by_settings = True
        return ImgproxyUrl(request.source, options)
