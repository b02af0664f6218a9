"""Time that passes when a test says so."""

__all__ = ["Clock"]


class Clock:
    """A clock that stands still until it is moved: `AuthX(config, clock=Clock())`.

    Args:
        now: Seconds since 1970 to begin with.

    Attributes:
        now: Seconds since 1970; assign it to set the clock, also back.
    """

    def __init__(self, now: float = 1_900_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time.

        Returns:
            Seconds since 1970.
        """
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass.

        Args:
            seconds: How much; less than nothing sets the clock back.
        """
        self.now += seconds

    def __repr__(self) -> str:
        return f"Clock({self.now!r})"
