"""A stateful test of the refresh protocol: two tabs of a browser, a thief, two server processes and a real store.

The processes are real too (`Sessions` on an observed store); only the clock is moved. What must hold:

1. A client that repeats its attempts with its retry key is never refused, as long as nobody stole its token.
2. If the thief and the client use one token, it is noticed, at the latest when the grace period is over.
3. A generation has one successor, whoever asks for it.
4. A session that was ended stays so.
5. Without the key, nothing is replayed later than the grace period and the outages of that process allow.
"""

from collections.abc import Awaitable
from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from authx.core.ids import session_id
from authx.core.outages import Outages
from authx.core.retry_keys import retry_hash
from authx.core.rotation import PresentedToken, Verdict
from authx.core.session import Rotation, Session
from authx.exceptions import (
    JWTDecodeError,
    RefreshReusedError,
    SessionRevoked,
    StoreUnavailableError,
)
from authx.sessions.events import Events, SecurityEvent
from authx.sessions.observed import ObservedStore
from authx.sessions.refreshing import Rotated
from authx.sessions.requester import NOBODY
from authx.sessions.service import Sessions
from authx.sessions.settings import SessionSettings
from authx.tokens.issuer import SessionIds

from .machine import BEGINNING, DAY, GRACE, SECOND, Machine

# So long that nothing ends by itself.
LIFE = 1000 * DAY


class Observed(ObservedStore):
    """Is called again when the test says so."""

    async def _probe(self) -> None:
        return


class Process:
    """A server process: what it knows ends with it."""

    def __init__(self, machine: "ProtocolMachine") -> None:
        self.store = Observed(machine.store, machine.clock, Outages())
        # The outages that it really had, whatever it made of them.
        self.away: list[tuple[int, int]] = []
        events = Events()
        events.add("replay", machine.replays.append)
        self.sessions = Sessions(
            self.store,
            SessionSettings(grace=machine.grace, max_age=None, window=900 * SECOND),
            events,
            SessionIds(),
            machine.clock,
        )


@dataclass(frozen=True)
class Token:
    """A refresh token: what its signature covers, as far as it can differ."""

    generation: int
    rotated_at: int


class ProtocolMachine(Machine):
    """What clients, thieves, operators and servers do, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.replays: list[SecurityEvent] = []
        # The client's token, and the key of its attempt that is not finished.
        self.jar = Token(0, BEGINNING)
        self.key: bytes | None = None
        self.stolen: Token | None = None
        self.was_stolen = False
        self.is_ended = False
        # Who made the rotation of a generation, when, and the only successor.
        self.winner: dict[int, str] = {}
        self.made: dict[int, tuple[int, int | None]] = {}
        self.history: list[Session] = []

    def clock(self) -> float:
        return self.now / 1000

    def run(self, *calls: Awaitable[object]) -> list[object]:
        """Make calls at the same time; what they raise is an answer."""
        return super().run(*calls, return_exceptions=True)

    @initialize(grace=st.sampled_from([GRACE, GRACE, 0]), has_row=st.booleans())
    def begin(self, grace: int, has_row: bool) -> None:
        self.grace = grace
        self.sid = session_id("alice", self.now, b"12345678")
        self.processes = [Process(self), Process(self)]
        if has_row:
            self.jar = Token(1, self.now)
            row = Session(
                sid=self.sid,
                sub="alice",
                generation=1,
                created_at=self.now,
                rotated_at=self.now,
                expires_at=self.now + LIFE,
            )
            assert self.run(self.store.store.create(row)) == [True]

    # The client

    @rule(
        process=st.integers(0, 1),
        count=st.sampled_from([1, 1, 1, 2, 5]),
        arrives=st.booleans(),
        fault=st.sampled_from([None, None, None, "before", "after"]),
    )
    def refresh(self, process: int, count: int, arrives: bool, fault: str | None) -> None:
        """Attempt a refresh, from one tab or several; the answer may be lost."""
        if self.key is None:
            self.key = self._draw()
        if fault is not None:
            self.store.fail("advance", "create", after_commit=fault == "after")
        answers = self._present(self.processes[process], self.jar, self.key, "client", count)
        self.store.heal()
        for answer in answers:
            if isinstance(answer, StoreUnavailableError):
                assert fault is not None
            elif isinstance(answer, Token):
                if arrives:
                    self.jar, self.key = answer, None
            else:
                # Refused: only after the end, or because the thief was noticed.
                assert self.is_ended or self.was_stolen, answer
                self.is_ended = True

    # The thief

    @precondition(lambda machine: not machine.is_ended)
    @rule()
    def steal(self) -> None:
        self.stolen, self.was_stolen = self.jar, True

    @precondition(lambda machine: machine.stolen is not None)
    @rule(
        process=st.integers(0, 1),
        length=st.sampled_from([0, 3 * SECOND, GRACE, 10 * GRACE]),
        by=st.sampled_from([0, GRACE, GRACE + 1]),
    )
    def refresh_the_stolen_token(self, process: int, length: int, by: int) -> None:
        """Use it, maybe after an outage and a while."""
        assert self.stolen is not None
        if length:
            self.lose_the_store(away=(process,), length=length)
        self.wait(by)
        (answer,) = self._present(self.processes[process], self.stolen, self._draw(), "thief", 1)
        if isinstance(answer, Token):
            self.stolen = answer
        else:
            self.is_ended = True

    # What happens to servers

    @rule(by=st.sampled_from([1, SECOND, 29 * SECOND, GRACE, GRACE + 1, DAY]))
    def wait(self, by: int) -> None:
        self.now += by

    @rule(
        away=st.sampled_from([(0,), (1,), (0, 1)]),
        length=st.sampled_from([1, 3 * SECOND, 3 * SECOND + 1, GRACE, 10 * GRACE]),
    )
    def lose_the_store(self, away: tuple[int, ...], length: int) -> None:
        began = self.now
        self.store.fail("list", times=None)
        for number in away:
            self.run(self.processes[number].store.list("alice", self.now))
        self.store.heal()
        self.now += length
        for number in away:
            self.run(self.processes[number].store.get(""))
            self.processes[number].away.append((began, self.now))

    @rule(process=st.integers(0, 1))
    def restart(self, process: int) -> None:
        self.processes[process] = Process(self)

    @precondition(lambda machine: len(machine.history) > 1 and not machine.is_ended)
    @rule(steps=st.integers(1, 2))
    def lose_rotations(self, steps: int) -> None:
        """As a server does that crashed before it wrote them, or was restored from a backup."""
        del self.history[max(1, len(self.history) - steps) :]
        row = self.history[-1]
        ((current, _),) = self.run(self.store.store.get(self.sid))
        back = Rotation(
            sid=self.sid,
            sub="alice",
            from_generation=current.generation,
            to_generation=row.generation,
            at=row.rotated_at,
            expires_at=row.expires_at,
            retry_hash=row.retry_hash,
        )
        (row,) = self.run(self.store.store.advance(back))
        # The end of a row never moves back, so it stays that of the lost rotation.
        self.history[-1] = row
        self.made[row.generation] = (row.rotated_at, row.expires_at)
        for generation in [one for one in self.made if one > row.generation]:
            del self.made[generation], self.winner[generation]

    @rule(process=st.integers(0, 1))
    def log_out(self, process: int) -> None:
        self.run(self.processes[process].sessions.revoke_session(self.sid, now=self.now, sub="alice"))
        self.is_ended = True

    # How

    def _draw(self) -> bytes:
        self.serial += 1
        return b"key-%020d" % self.serial

    def _present(self, process: Process, token: Token, key: bytes, party: str, count: int) -> list[object]:
        self.replays.clear()
        presented = PresentedToken(
            sid=self.sid,
            sub="alice",
            generation=token.generation,
            created_at=BEGINNING,
            retry_hash=retry_hash(self.sid, token.generation, key),
            expires_at=self.now + LIFE,
            lifetime=LIFE,
        )
        answers = self.run(*(process.sessions.refresh(presented, NOBODY, self.now) for _ in range(count)))
        self._note_rotation(party)
        return [self._judge(answer, process, token, party) for answer in answers]

    def _judge(self, answer: object, process: Process, token: Token, party: str) -> object:
        if isinstance(answer, (StoreUnavailableError, RefreshReusedError, SessionRevoked, JWTDecodeError)):
            return answer
        assert isinstance(answer, Rotated), answer
        assert not self.is_ended, "a session that was ended lives"
        row = answer.row
        # One successor, whoever asks.
        assert self.made[row.generation] == (row.rotated_at, row.expires_at)
        assert row.generation == token.generation + 1
        if answer.verdict is Verdict.REPLAY:
            self._judge_replay(row, process, party)
        return Token(row.generation, row.rotated_at)

    def _judge_replay(self, row: Session, process: Process, party: str) -> None:
        event = self.replays.pop(0)
        if event.cause == "retry":
            assert self.winner[row.generation] == party, "another holder passed for the same attempt"
            return
        away = sum(
            max(0, min(end, self.now) - max(begin, row.rotated_at))
            for begin, end in process.away
            if end - begin > 3 * SECOND
        )
        assert self.grace > 0
        assert self.now - row.rotated_at - away <= self.grace, "replayed too late"

    def _note_rotation(self, party: str) -> None:
        """Take notice of what the store holds: an answer may be lost, but not the rotation."""
        ((row, _),) = self.run(self.store.store.get(self.sid))
        if row is not None and row.revoked_at is None and row.generation not in self.made and row.retry_hash:
            self.made[row.generation] = (row.rotated_at, row.expires_at)
            self.winner[row.generation] = party
            self.history.append(row)
