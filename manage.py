#!/usr/bin/env python3
"""The operator's door: every command of every room."""

import os
import sys
from typing import NoReturn

# Their exit code is a verdict on the audit logs: what keeps them from one ends with 4, before they run as well.
JUDGES = {"verify_audit", "reconcile_audit"}
COULD_NOT_RUN = 4


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orkestra.settings")
    try:
        run()
    except Exception as error:
        if not judges():
            raise
        end(f"Could not run: {type(error).__name__}: {error}")


def run() -> None:
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        end(f"Wrong configuration: {error}")


def judges() -> bool:
    return not JUDGES.isdisjoint(sys.argv[1:2])


def end(why: str) -> NoReturn:
    print(" ".join(why.split()), file=sys.stderr)
    sys.exit(COULD_NOT_RUN if judges() else 1)


if __name__ == "__main__":
    main()
