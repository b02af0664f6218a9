"""A stateful test for any store: random histories, with `decide` and a few dictionaries as the oracle."""

from collections import Counter
from dataclasses import dataclass, replace

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, initialize, multiple, precondition, rule

from authx.core.ids import is_session_id_of, session_created_at, session_id
from authx.core.rotation import Decision, PresentedToken, Verdict, decide
from authx.core.session import Cutoff, Revocation, Rotation, Session, kills
from authx.exceptions import StoreUnavailableError

from .machine import DAY, GRACE, HOUR, MINUTE, SECOND, Machine

LIFE = 7 * DAY
MAX_AGE = 30 * DAY
WINDOW = 20 * MINUTE
SUBJECTS = ("alice", "bob")


@dataclass(frozen=True)
class Token:
    """A refresh token, as far as a store is concerned."""

    presented: PresentedToken
    expires_at: int | None


def later(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else max(one, other)


class Model:
    """What a store should hold."""

    def __init__(self) -> None:
        self.rows: dict[str, Session] = {}
        self.cutoffs: dict[str, Cutoff] = {}
        self.everyone: int | None = None
        self.revocations: dict[tuple[str, str], Revocation] = {}

    def cutoff(self, sub: str) -> Cutoff | None:
        own = self.cutoffs.get(sub)
        if self.everyone is None or own is None:
            return own if self.everyone is None else Cutoff(at=self.everyone)
        survives = own.spared is not None and session_created_at(own.spared) >= self.everyone
        return Cutoff(at=max(own.at, self.everyone), spared=own.spared if survives else None)

    def live(self, sub: str, now: int) -> list[Session]:
        rows = [
            row
            for row in self.rows.values()
            if row.sub == sub
            and row.revoked_at is None
            and (row.expires_at is None or row.expires_at > now)
            and not kills(self.cutoff(sub), row.sid, row.created_at)
        ]
        return sorted(rows, key=lambda row: (row.created_at, row.sid), reverse=True)

    def revoke(self, one: Revocation) -> Revocation:
        stored = replace(one, spared=None)
        if one.kind == "session":
            self._end(one)
        elif one.kind == "subject":
            spared = one.spared if one.spared is not None and self._may_be_spared(one.spared, one.key) else None
            newest = max((row.created_at + 1 for row in self.rows.values() if row.sub == one.key), default=0)
            before = self.cutoffs.get(one.key)
            cutoff = Cutoff(at=max(one.at, newest, before.at if before else 0), spared=spared)
            self.cutoffs[one.key] = cutoff
            stored = replace(one, at=cutoff.at, spared=spared)
        elif one.kind == "everyone":
            self.everyone = max(one.at, self.everyone or 0)
            stored = replace(stored, at=self.everyone)
        entry = (one.kind, one.key)
        before = self.revocations.get(entry)
        self.revocations[entry] = stored if before is None else replace(stored, until=later(before.until, stored.until))
        return stored

    def _end(self, one: Revocation) -> None:
        row = self.rows.get(one.key)
        if row is None:
            created_at = session_created_at(one.key)
            row = Session(
                sid=one.key,
                sub=one.sub or "",
                generation=0,
                created_at=created_at,
                rotated_at=created_at,
                expires_at=one.expires_at,
            )
        if row.revoked_at is None:
            row = replace(row, revoked_at=one.at, revoked_reason=one.reason)
        self.rows[one.key] = replace(row, expires_at=later(row.expires_at, one.expires_at))

    def _may_be_spared(self, sid: str, sub: str) -> bool:
        row = self.rows.get(sid)
        return (
            is_session_id_of(sid, sub)
            and (row is None or (row.sub == sub and row.revoked_at is None))
            and not kills(self.cutoff(sub), sid, session_created_at(sid))
        )

    def matters(self, now: int) -> dict[tuple[str, str], tuple[int, int | None, str | None]]:
        """What a reader has to know: of sessions and tokens the moment is of no interest."""
        return {
            entry: (one.at if one.kind in ("subject", "everyone") else 0, one.until, one.spared)
            for entry, one in self.revocations.items()
            if one.until is None or one.until > now
        }


def seldom(machine: "StoreMachine") -> bool:
    """Let enough be issued that there is something to revoke, and then a few things be revoked in a row."""
    return machine.credit >= 2


class StoreMachine(Machine):
    """Logins, refreshes with any token ever issued, revocations, faults, losses, and time."""

    tokens = Bundle("tokens")
    clients = Bundle("clients")

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.grace = GRACE
        self.credit = 0
        self.wins: Counter[tuple[str, int]] = Counter()
        self.dead: set[str] = set()
        self.sessions: dict[str, str] = {}
        self.cursor = ""
        self.reader: dict[tuple[str, str], Revocation] = {}
        self.held: dict[int, Token] = {}

    def teardown(self) -> None:
        try:
            self.compare_all()
        finally:
            super().teardown()

    @initialize(grace=st.sampled_from([GRACE, GRACE, GRACE, 0]))
    def begin(self, grace: int) -> None:
        self.grace = grace

    # Sessions begin

    @rule(target=tokens, sub=st.sampled_from(SUBJECTS), endless=st.booleans(), knows_cutoff=st.booleans())
    def login(self, sub: str, endless: bool, knows_cutoff: bool) -> Token:
        return self._login(sub, endless, knows_cutoff)

    @rule(target=tokens, sub=st.sampled_from(SUBJECTS), endless=st.booleans(), knows_cutoff=st.booleans())
    def login_without_the_store(self, sub: str, endless: bool, knows_cutoff: bool) -> Token:
        return self._new_token(sub, 0, endless, knows_cutoff)

    @rule(target=clients, sub=st.sampled_from(SUBJECTS), stored=st.booleans())
    def login_a_client_that_follows_the_protocol(self, sub: str, stored: bool) -> int:
        client = len(self.held)
        self.held[client] = self._login(sub, False, True) if stored else self._new_token(sub, 0, False, True)
        return client

    # Tokens are presented

    @rule(
        target=tokens,
        token=tokens,
        fault=st.sampled_from([None, None, None, "advance", "create", "revoke"]),
        after_commit=st.booleans(),
    )
    def refresh(self, token: Token, fault: str | None, after_commit: bool) -> object:
        successor = self._refresh(token, fault, after_commit)
        return multiple() if successor is None else successor

    @rule(target=tokens, token=tokens, times=st.integers(1, 5))
    def refresh_again_and_again(self, token: Token, times: int) -> object:
        issued = []
        for _ in range(times):
            successor = self._refresh(token, None, after_commit=False)
            if successor is None:
                break
            issued.append(successor)
            token = successor
        return multiple(*issued)

    @rule(target=tokens, token=tokens, count=st.integers(2, 5))
    def refresh_at_once(self, token: Token, count: int) -> object:
        expected = self._expected(token)
        decisions = self.run(*(self._present(token) for _ in range(count)))
        verdicts = Counter(decision.verdict for decision in decisions)
        row = self._apply(expected, token)
        if expected.verdict in (Verdict.START, Verdict.ADVANCE, Verdict.AHEAD):
            # One moves the session; the others come right after it.
            assert verdicts[expected.verdict] == 1, verdicts
            if self.grace:
                assert verdicts[Verdict.REPLAY] == count - 1, verdicts
                assert {decision.generation for decision in decisions} == {expected.generation}
            else:
                assert verdicts[Verdict.REUSED] >= 1, verdicts
                assert verdicts[Verdict.REUSED] + verdicts[Verdict.REVOKED] == count - 1, verdicts
                self._apply(Decision(verdict=Verdict.REUSED), token)
        elif expected.verdict is Verdict.REUSED:
            assert verdicts[Verdict.REUSED] >= 1, verdicts
            assert verdicts[Verdict.REUSED] + verdicts[Verdict.REVOKED] == count, verdicts
        else:
            assert decisions == [expected] * count
        self._compare(token.presented.sid)
        return multiple() if row is None else self._successor(token, row)

    @rule(
        client=clients,
        fault=st.sampled_from([None, None, "advance", "create"]),
        after_commit=st.booleans(),
    )
    def a_client_that_follows_the_protocol_is_never_refused(
        self, client: int, fault: str | None, after_commit: bool
    ) -> None:
        token = self.held[client]
        row = self.model.rows.get(token.presented.sid)
        is_over = (
            token.presented.sid in self.dead
            or token.presented.created_at + MAX_AGE <= self.now
            or (token.expires_at is not None and token.expires_at <= self.now)
            or (row is not None and row.expires_at is not None and row.expires_at <= self.now)
        )
        successor = self._refresh(token, fault if self.grace else None, after_commit)
        if successor is None:
            successor = self._refresh(token, None, after_commit=False)
        assert (successor is None) == is_over
        if successor is not None:
            self.held[client] = successor

    # Things end

    @precondition(seldom)
    @rule(token=tokens, knows_sub=st.booleans(), fault=st.sampled_from([None, None, "before", "after"]))
    def revoke_session(self, token: Token, knows_sub: bool, fault: str | None) -> None:
        sid = token.presented.sid
        self._revoke(
            Revocation(
                kind="session",
                key=sid,
                at=self.now,
                until=self.now + WINDOW,
                reason="logout",
                sub=token.presented.sub if knows_sub else None,
                expires_at=token.expires_at if knows_sub else token.presented.created_at + MAX_AGE,
            ),
            fault,
        )
        self._compare(sid)

    @precondition(seldom)
    @rule(
        sub=st.sampled_from(SUBJECTS),
        spared=st.one_of(st.none(), tokens),
        behind=st.sampled_from([0, 0, MINUTE, -MINUTE]),
        fault=st.sampled_from([None, None, "before", "after"]),
    )
    def revoke_subject(self, sub: str, spared: Token | None, behind: int, fault: str | None) -> None:
        at = self.now - behind
        one = Revocation(
            kind="subject",
            key=sub,
            at=at,
            until=at + WINDOW,
            sub=sub,
            spared=None if spared is None else spared.presented.sid,
        )
        self._revoke(one, fault)
        assert self.run(self.store.get("", sub)) == [(None, self.model.cutoff(sub))]

    @precondition(seldom)
    @rule(behind=st.sampled_from([0, MINUTE]), fault=st.sampled_from([None, "before", "after"]))
    def revoke_everyone(self, behind: int, fault: str | None) -> None:
        self._revoke(Revocation(kind="everyone", key="", at=self.now - behind, until=None), fault)

    @rule(number=st.integers(0, 3), life=st.sampled_from([MINUTE, HOUR, None]))
    def revoke_token(self, number: int, life: int | None) -> None:
        until = None if life is None else self.now + life
        self._revoke(Revocation(kind="token", key=f"jti-{number}", at=self.now, until=until), None)

    # Time passes, rows go, rotations are lost

    @rule(by=st.sampled_from([1, SECOND, GRACE, GRACE + 1, -SECOND, -GRACE, HOUR, DAY, LIFE, LIFE + DAY]))
    def move_the_clock(self, by: int) -> None:
        self.now += by

    @rule(limit=st.sampled_from([1, 3, 100]))
    def prune(self, limit: int) -> None:
        before = len(self._listed())
        (deleted,) = self.run(self.store.prune(self.now, limit))
        assert deleted <= limit
        gone = 0
        for sid, row in list(self.model.rows.items()):
            ((found, _),) = self.run(self.store.get(sid))
            if found is None:
                assert row.expires_at is not None
                assert row.expires_at < self.now - DAY
                del self.model.rows[sid]
                gone += 1
        assert deleted == gone + before - len(self._listed())

    @precondition(lambda machine: machine.rotated())
    @rule(which=st.integers(0, 99), steps=st.integers(1, 3))
    def lose_rotations(self, which: int, steps: int) -> None:
        """As a server does that crashed before it wrote them, or was restored from a backup."""
        rows = self.rotated()
        row = rows[which % len(rows)]
        back = max(1, row.generation - steps)
        (moved,) = self.run(
            self.store.advance(
                Rotation(
                    sid=row.sid,
                    sub=row.sub,
                    from_generation=row.generation,
                    to_generation=back,
                    at=row.rotated_at,
                    expires_at=row.expires_at,
                    retry_hash=row.retry_hash,
                    ip=row.ip,
                    user_agent=row.user_agent,
                )
            )
        )
        if moved is not None:
            self.model.rows[row.sid] = moved
            assert moved == replace(row, generation=back)
            for entry in [entry for entry in self.wins if entry[0] == row.sid and entry[1] >= back]:
                del self.wins[entry]

    @rule()
    def reopen(self) -> None:
        async def again() -> None:
            await self.store.close()
            await self.store.open()

        self.run(again())

    # What is read

    @rule(sub=st.sampled_from(SUBJECTS), limit=st.sampled_from([1, 2, 100]))
    def list_sessions(self, sub: str, limit: int) -> None:
        assert self.run(self.store.list(sub, self.now, limit)) == [self.model.live(sub, self.now)[:limit]]

    @rule()
    def follow_the_feed(self) -> None:
        ((listed, self.cursor),) = self.run(self.store.revocations(self.cursor))
        for one in listed:
            self.reader[one.kind, one.key] = one
        ((count, newest),) = self.run(self.store.count_live(self.now))
        expected = self.model.matters(self.now)
        assert (count, newest) == (len(expected), self.cursor)
        assert self._known(self.reader) == expected

    @rule()
    def compare_all(self) -> None:
        for sid in self.sessions:
            self._compare(sid)
        assert self._known(self._listed()) == self.model.matters(self.now)

    # How

    def rotated(self) -> list[Session]:
        return [row for row in self.model.rows.values() if row.generation > 1 and row.revoked_at is None]

    def _login(self, sub: str, endless: bool, knows_cutoff: bool) -> Token:
        token = self._new_token(sub, 1, endless, knows_cutoff)
        presented = token.presented
        row = Session(
            sid=presented.sid,
            sub=sub,
            generation=1,
            created_at=presented.created_at,
            rotated_at=self.now,
            expires_at=token.expires_at,
            ip="192.0.2.1",
            user_agent="Mozilla/5.0",
            device='{"n": 1}',
        )
        assert self.run(self.store.create(row)) == [True]
        assert self.run(self.store.create(replace(row, generation=9))) == [False]
        self.model.rows[row.sid] = row
        return token

    def _new_token(self, sub: str, generation: int, endless: bool, knows_cutoff: bool) -> Token:
        cutoff = self.model.cutoff(sub) if knows_cutoff else None
        created_at = self.now if cutoff is None else max(self.now, cutoff.at)
        self.serial += 1
        sid = session_id(sub, created_at, (self.serial << 16).to_bytes(8, "big"))
        self.sessions[sid] = sub
        if kills(self.model.cutoff(sub), sid, created_at):
            self.dead.add(sid)
        presented = PresentedToken(sid=sid, sub=sub, generation=generation, created_at=created_at)
        return Token(presented, None if endless else self.now + LIFE)

    def _refresh(self, token: Token, fault: str | None, after_commit: bool) -> Token | None:
        self.credit = min(self.credit + 1, 6)
        expected = self._expected(token)
        meets = {
            # The swap comes first, whatever the token turns out to be.
            "advance": not self._is_over(token),
            "create": expected.verdict is Verdict.START,
            "revoke": expected.verdict is Verdict.REUSED,
        }
        if fault is None or not meets[fault]:
            (decision,) = self.run(self._present(token))
            assert decision == expected
            row = self._apply(expected, token)
            self._compare(token.presented.sid)
            return None if row is None else self._successor(token, row)
        self.store.fail(fault, after_commit=after_commit)
        try:
            self.run(self._present(token))
        except StoreUnavailableError:
            pass
        else:
            raise AssertionError("the fault was not met")
        finally:
            self.store.heal()
        if after_commit and (fault != "advance" or expected.verdict is Verdict.ADVANCE):
            self._apply(expected, token)
        self._compare(token.presented.sid)
        return None

    def _is_over(self, token: Token) -> bool:
        """What is known of a token before a store is asked."""
        return token.presented.created_at + MAX_AGE <= self.now or self._has_expired(token)

    def _has_expired(self, token: Token) -> bool:
        return token.expires_at is not None and token.expires_at <= self.now

    def _expected(self, token: Token) -> Decision:
        presented = token.presented
        if self._has_expired(token):
            return Decision(verdict=Verdict.EXPIRED)
        decision = decide(
            presented,
            self.model.rows.get(presented.sid),
            self.model.cutoff(presented.sub),
            self.now,
            self.grace,
            max_age=MAX_AGE,
        )
        assert not (decision.verdict.passes and presented.sid in self.dead), "something revoked lives again"
        return decision

    async def _present(self, token: Token) -> Decision:
        """Do what a refresh does, with nothing but the store and `decide`."""
        presented, store = token.presented, self.store
        if self._has_expired(token):
            return Decision(verdict=Verdict.EXPIRED)
        for _ in range(9):
            if not self._is_over(token):
                moved = await self._swap(token, presented.generation, presented.generation + 1)
                if moved is not None:
                    self._count_win(presented.sid, presented.generation)
                    return Decision(verdict=Verdict.ADVANCE, generation=moved.generation)
            row, cutoff = await store.get(presented.sid, presented.sub)
            decision = decide(presented, row, cutoff, self.now, self.grace, max_age=MAX_AGE)
            if decision.verdict is Verdict.START and await store.create(self._first_row(token)):
                self._count_win(presented.sid, 0)
                return decision
            if decision.verdict is Verdict.AHEAD and row is not None:
                if await self._swap(token, row.generation, decision.generation) is not None:
                    self._count_win(presented.sid, presented.generation)
                    return decision
            elif decision.verdict is Verdict.REUSED:
                await store.revoke(self._reuse(token))
                return decision
            elif decision.verdict not in (Verdict.START, Verdict.ADVANCE):
                return decision
        raise AssertionError("lost nine races")

    async def _swap(self, token: Token, from_generation: int, to_generation: int) -> Session | None:
        return await self.store.advance(
            Rotation(
                sid=token.presented.sid,
                sub=token.presented.sub,
                from_generation=from_generation,
                to_generation=to_generation,
                at=self.now,
                expires_at=self._end_of_successor(token),
                ip=f"192.0.2.{to_generation % 250}",
            )
        )

    def _count_win(self, sid: str, generation: int) -> None:
        self.wins[sid, generation] += 1
        assert self.wins[sid, generation] == 1, "two successors of one token"

    def _end_of_successor(self, token: Token) -> int | None:
        if token.expires_at is None:
            return None
        return min(self.now + LIFE, token.presented.created_at + MAX_AGE)

    def _first_row(self, token: Token) -> Session:
        presented = token.presented
        return Session(
            sid=presented.sid,
            sub=presented.sub,
            generation=1,
            created_at=presented.created_at,
            rotated_at=self.now,
            expires_at=later(self._end_of_successor(token), token.expires_at),
        )

    def _reuse(self, token: Token) -> Revocation:
        presented = token.presented
        return Revocation(
            kind="session",
            key=presented.sid,
            at=self.now,
            until=self.now + WINDOW,
            reason="reused",
            sub=presented.sub,
            expires_at=token.expires_at,
        )

    def _successor(self, token: Token, row: Session) -> Token:
        return Token(replace(token.presented, generation=row.generation), row.expires_at)

    def _apply(self, decision: Decision, token: Token) -> Session | None:
        """Do to the model what a decision does, and give the row that a successor is made from."""
        presented, rows = token.presented, self.model.rows
        if decision.verdict is Verdict.START:
            rows[presented.sid] = self._first_row(token)
        elif decision.verdict in (Verdict.ADVANCE, Verdict.AHEAD):
            row = rows[presented.sid]
            rows[presented.sid] = replace(
                row,
                generation=decision.generation,
                rotated_at=self.now,
                expires_at=later(row.expires_at, self._end_of_successor(token)),
                ip=f"192.0.2.{decision.generation % 250}",
                user_agent=None,
            )
        elif decision.verdict is Verdict.REUSED:
            self.model.revoke(self._reuse(token))
            assert rows[presented.sid].revoked_at is not None
            self.dead.add(presented.sid)
        return rows[presented.sid] if decision.verdict.passes else None

    def _revoke(self, one: Revocation, fault: str | None) -> None:
        if one.kind != "token":
            self.credit -= 2
        if fault is not None:
            self.store.fail("revoke", after_commit=fault == "after")
        try:
            (stored,) = self.run(self.store.revoke(one))
        except StoreUnavailableError:
            assert fault is not None
        else:
            assert fault is None
        finally:
            self.store.heal()
        if fault == "before":
            return
        expected = self.model.revoke(one)
        if fault is None and one.kind != "session":
            assert (stored.at, stored.spared) == (expected.at, expected.spared)
        if one.kind == "session":
            self.dead.add(one.key)
        self.dead.update(
            sid for sid, sub in self.sessions.items() if kills(self.model.cutoff(sub), sid, session_created_at(sid))
        )

    def _listed(self) -> dict[tuple[str, str], Revocation]:
        ((listed, _),) = self.run(self.store.revocations(""))
        return {(one.kind, one.key): one for one in listed}

    def _known(
        self, revocations: dict[tuple[str, str], Revocation]
    ) -> dict[tuple[str, str], tuple[int, int | None, str | None]]:
        assert revocations.keys() <= self.model.revocations.keys()
        model = Model()
        model.revocations = revocations
        return model.matters(self.now)

    def _compare(self, sid: str) -> None:
        expected = self.model.rows.get(sid), self.model.cutoff(self.sessions[sid])
        assert self.run(self.store.get(sid, self.sessions[sid])) == [expected]
