"""The store in Redis or Valkey."""

from authx.stores.redis.store import RedisStore

__all__ = ["RedisStore"]
