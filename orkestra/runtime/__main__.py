"""`python -m orkestra.runtime up`, `… metrics` and `python -m orkestra.runtime with-servers -- COMMAND…`."""

from __future__ import annotations

import os
import sys

from django.core.exceptions import ImproperlyConfigured

GIVEN = dict(os.environ)
if GIVEN.get("ORKESTRA_SURFACE") == "tenant":
    # Only the web is bound to it. This process starts the worker too, and hands it the platform's address.
    os.environ["ORKESTRA_SURFACE"] = "all"

try:
    from . import metrics, servers
    from .home import Stop
    from .supervisor import Supervisor
except ImproperlyConfigured as wrong:
    # Loading the settings may already find a wrong variable, which is told like any other fault.
    raise SystemExit(str(wrong)) from None

USAGE = "usage: python -m orkestra.runtime up | metrics | with-servers -- COMMAND…"


def main(arguments: list[str]) -> int:
    """0 after a clean stop, 1 with one sentence for what cannot go on, 2 for wrong words."""
    try:
        if arguments == ["up"]:
            return Supervisor(GIVEN).run()
        if arguments == ["metrics"]:
            return metrics.serve(GIVEN)
        if arguments[:2] == ["with-servers", "--"] and arguments[2:]:
            return servers.run(arguments[2:], GIVEN)
    except Stop as stop:
        print(stop, file=sys.stderr)
        return 1
    print(USAGE, file=sys.stderr)
    return 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
