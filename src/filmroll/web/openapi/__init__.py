"""What the API says of itself to programs."""

from filmroll.web.openapi.document import document

__all__ = ["document"]
