"""Commands whose exit code is a verdict on the logs: what hinders one is none, and ends with 4 and one line."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser

COULD_NOT_RUN = 4


class VerdictCommand(BaseCommand):
    """Ends as its `handle` says by `sys.exit`; whatever is unforeseen, a wrong argument or an interrupt too, with 4."""

    requires_system_checks: list[str] = []

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.called_from_command_line = False  # so that it raises, and does not exit with the 2 of argparse
        return parser

    def run_from_argv(self, argv: list[str]) -> None:
        with self._no_verdict():
            super().run_from_argv(argv)

    def execute(self, *args: Any, **options: Any) -> Any:
        with self._no_verdict():
            return super().execute(*args, **options)

    @contextlib.contextmanager
    def _no_verdict(self) -> Iterator[None]:
        try:
            yield
        except SystemExit:
            raise
        except CommandError as error:
            self.could_not_run(str(error).removeprefix("Error: "))
        except BaseException as error:  # a panic of cryptography too
            self.could_not_run(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)

    def could_not_run(self, why: str) -> NoReturn:
        """Say why in one line, where anybody hears it, and end."""
        with contextlib.suppress(OSError, ValueError):
            self.stderr.write(f"Could not run: {' '.join(why.split())}")
        sys.exit(COULD_NOT_RUN)
