"""What `authx check` reports."""

from typing import Literal, NamedTuple, TypeAlias

__all__ = ["Finding", "Severity", "StoreKind"]

# `error`: unsafe, or does not work. `warning`: risky, or not what it seems. `info`: good to know.
Severity: TypeAlias = Literal["error", "warning", "info"]
# `lasting`: other processes see it too.
StoreKind: TypeAlias = Literal["none", "memory", "lasting"]


class Finding(NamedTuple):
    """A problem with a setup: what was found (never a secret), why it matters, and what to change."""

    severity: Severity
    code: str
    message: str
    why: str
    change: str
