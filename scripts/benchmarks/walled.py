"""The product as it is, for a server of one worker."""

from orkestra.wsgi import application

__all__ = ["application"]
