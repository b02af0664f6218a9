"""The scripts of the store, as `scripts.lua` has them."""

import re
from dataclasses import dataclass, field
from hashlib import sha1
from importlib import resources
from typing import Final

__all__ = ["SCRIPTS", "Script"]


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script, and the name the server knows it by."""

    text: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        # SHA-1 is what EVALSHA is made of, not a protection of anything.
        object.__setattr__(self, "sha", sha1(self.text.encode(), usedforsecurity=False).hexdigest())


def _scripts() -> dict[str, Script]:
    source = resources.files("authx.stores.redis").joinpath("scripts.lua").read_text("utf-8")
    prelude, *parts = re.split(r"^-- script: (\w+)\n", source, flags=re.MULTILINE)
    return {name: Script(prelude + body) for name, body in zip(parts[::2], parts[1::2], strict=True)}


SCRIPTS: Final = _scripts()
