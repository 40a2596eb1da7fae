"""Reading a body: bounded in size and depth before anything looks at it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from .refusals import TooLarge


class BoundedJSONParser(JSONParser):
    """JSON of at most DATA_UPLOAD_MAX_MEMORY_SIZE bytes. Raises TooLarge, and ParseError also for endless nesting."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        request = (parser_context or {})["request"]
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not str(length).isdigit() or int(length) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise TooLarge(_("A body may have %(n)s bytes.") % {"n": settings.DATA_UPLOAD_MAX_MEMORY_SIZE})
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError(_("The body is nested too deeply.")) from None
