"""The names of the store's keys.

A session, its subject's cutoff and its subject's index share a hash slot, which follows from the session's id alone:
the last four hex digits of an id are a hash of its subject, and they are the hash tag. With the prefix `authx_`:

| key | holds |
|---|---|
| `authx_{ab12}s:<session>` | a hash: the row |
| `authx_{ab12}c` | a hash: the cutoff of each subject with this tag |
| `authx_{ab12}i:<SHA-256 of the subject>` | a sorted set: the subject's sessions by creation |
| `authx_{feed}` | a stream: the live revocations, one entry for each thing revoked |
| `authx_{feed}e`, `authx_{feed}u` | where the entry of a thing is, and until when it matters |
| `authx_{feed}a`, `authx_{feed}v` | the cutoff of everyone; the version of this layout |
| `authx_{ab12}w`, `authx_{feed}w` | nothing: written only so that a write to the disk can be waited for |
"""

from hashlib import sha256

__all__ = ["Keys", "digest_of"]


def digest_of(sub: str) -> str:
    """Hash a subject: the first four digits are its hash in session ids, the rest keeps odd characters out of keys."""
    return sha256(sub.encode()).hexdigest()


class Keys:
    """The keys that begin with a prefix."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.feed = f"{prefix}{{feed}}"
        self.entries, self.untils, self.everyone, self.version = (f"{self.feed}{end}" for end in "euav")

    def row(self, sid: str) -> str:
        """Return the key of a session's row."""
        return f"{self._prefix}{{{sid[32:]}}}s:{sid}"

    def cutoffs(self, tag: str) -> str:
        """Return the key of the cutoffs of the subjects with a tag."""
        return f"{self._prefix}{{{tag}}}c"

    def index(self, digest: str) -> str:
        """Return the key of a subject's index."""
        return f"{self._prefix}{{{digest[:4]}}}i:{digest}"

    def written(self, tag: str = "feed") -> str:
        """Return the key to write before waiting for what was written with a tag."""
        return f"{self._prefix}{{{tag}}}w"
