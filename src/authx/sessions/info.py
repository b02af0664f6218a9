"""Sessions as applications see them."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from authx.core.session import Session
from authx.jose.json_object import dump_object
from authx.schema import SessionInfo

__all__ = ["device_text", "session_info"]

_MAX_DEVICE_BYTES: Final = 2048


def session_info(row: Session, now: int) -> SessionInfo:
    """Show a row as a session, as it is at a timestamp in milliseconds."""
    ended = row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now)
    return SessionInfo(
        session_id=row.sid,
        uid=row.sub,
        created_at=_time(row.created_at),
        last_active=_time(row.rotated_at),
        ip_address=row.ip,
        user_agent=row.user_agent,
        device_info=None if row.device is None else json.loads(row.device),
        is_active=not ended,
        expires_at=None if row.expires_at is None else _time(row.expires_at),
    )


def device_text(device: Mapping[str, Any] | None) -> str | None:
    """Write what an application notes about a device as JSON."""
    if device is None:
        return None
    text = dump_object(dict(device))
    if len(text) > _MAX_DEVICE_BYTES:
        raise ValueError(f"device_info has {len(text)} bytes as JSON; {_MAX_DEVICE_BYTES} are kept")
    return text.decode()


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
