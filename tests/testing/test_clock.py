"""A clock that stands still until it is moved."""

from tests.support.tokens import claims_of

from authx import AuthX, AuthXConfig
from authx.testing import Clock


def test_it_stands_still():
    clock = Clock()
    assert clock() == clock() == clock.now


def test_it_begins_where_it_is_told_to():
    assert Clock(5.5)() == 5.5


def test_it_is_moved_forward_and_back():
    clock = Clock(1000)
    clock.advance(0.5)
    assert clock() == 1000.5
    clock.advance(-1)
    assert clock() == 999.5


def test_it_can_be_set():
    clock = Clock()
    clock.now = 7.0
    assert clock() == 7.0


def test_two_clocks_are_two():
    one, two = Clock(), Clock()
    one.advance(5)
    assert two() == one() - 5


def test_an_instance_goes_by_it():
    clock = Clock()
    auth = AuthX(AuthXConfig(JWT_SECRET_KEY="a secret of more than thirty-two letters"), clock=clock)
    token = auth.create_access_token("alice")
    assert claims_of(token)["iat"] == int(clock.now)
    assert repr(clock) == f"Clock({clock.now!r})"
