"""Django's cache, with what allauth must not forget in PostgreSQL: used codes and counted tries outlive any Redis."""

from __future__ import annotations

import json
from typing import Any

from django_redis.cache import RedisCache

LASTING = "allauth"
DAY_SECONDS = 86_400.0


class LastingCache(RedisCache):
    """Keys that begin with `allauth` are kept in the database; all others in Redis, where losing them costs nothing."""

    def add(self, key: Any, value: Any, timeout: Any = DAY_SECONDS, *args: Any, **kwargs: Any) -> bool:
        if not _lasts(key):
            return bool(super().add(key, value, timeout, *args, **kwargs))
        return _limits().keep(key, json.dumps(value), timeout or DAY_SECONDS, overwrite=False)

    def set(self, key: Any, value: Any, timeout: Any = DAY_SECONDS, *args: Any, **kwargs: Any) -> Any:
        if not _lasts(key):
            return super().set(key, value, timeout, *args, **kwargs)
        return _limits().keep(key, json.dumps(value), timeout or DAY_SECONDS, overwrite=True)

    def get(self, key: Any, default: Any = None, *args: Any, **kwargs: Any) -> Any:
        if not _lasts(key):
            return super().get(key, default, *args, **kwargs)
        found = _limits().kept(key)
        return default if found is None else json.loads(found)

    def delete(self, key: Any, *args: Any, **kwargs: Any) -> bool:
        return _limits().drop(key) if _lasts(key) else bool(super().delete(key, *args, **kwargs))


def _lasts(key: Any) -> bool:
    return isinstance(key, str) and key.startswith(LASTING)


def _limits() -> Any:
    """Models are not loaded yet when Django makes its caches."""
    from . import limits

    return limits
