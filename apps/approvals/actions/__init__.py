"""Everything that writes paths, cases and decisions."""

from .cases import open_case, resubmit, withdraw
from .deciding import decide
from .paths import publish_path

__all__ = ["decide", "open_case", "publish_path", "resubmit", "withdraw"]
