"""Backups: the database and the files, with what is needed to know later that both are whole."""

from .keep import rotate
from .make import make
from .manifest import Damaged, check, latest
from .restore import restore

__all__ = ["Damaged", "check", "latest", "make", "restore", "rotate"]
