"""Everything that writes paths, cases and decisions."""

from .cases import open_case, resubmit, withdraw
from .deciding import decide
from .paths import publish_path
from .staffing import staff_step
from .standing_in import end_stand_in, set_stand_in

__all__ = ["decide", "end_stand_in", "open_case", "publish_path", "resubmit", "set_stand_in", "staff_step", "withdraw"]
