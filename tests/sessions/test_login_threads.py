"""Logins that block: they wait for each other, and for nobody else's routes."""

import asyncio
import threading

import pytest
from fastapi import FastAPI
from tests.support.asgi import knock_once
from tests.support.waiting import PATIENCE, SOON, until

from authx import AuthX, AuthXConfig
from authx.http import hooks as callbacks

SECRET = "the secret of more than thirty-two letters of logins that block"
JSON = [("Content-Type", "application/json")]
LOGIN = b'{"username": "alice", "password": "right"}'


def test_logins_that_block_do_not_occupy_the_threads_of_routes():
    released, inside = threading.Event(), threading.Semaphore(0)
    auth = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET), store="memory://")
    app = FastAPI()

    def authenticate(username, password):
        inside.release()
        released.wait(PATIENCE)
        return username

    app.include_router(auth.router(authenticate))

    @app.get("/page")
    def page():
        return "here you are"

    async def run():
        logins = [asyncio.create_task(knock_once(app, "/login", "POST", JSON, LOGIN)) for _ in range(50)]
        try:
            for _ in range(callbacks._LOGIN_THREADS):
                await until(lambda: inside.acquire(blocking=False), "a login's thread")
            # Before the logins give up.
            answer = await asyncio.wait_for(knock_once(app, "/page"), SOON)
            others = inside.acquire(blocking=False)
        finally:
            released.set()
        answers = await asyncio.gather(*logins)
        await auth.close()
        return answer, others, answers

    answer, others, answers = asyncio.run(run())
    assert answer.json == "here you are"
    assert not others
    assert {one.status for one in answers} == {200}


@pytest.mark.parametrize("loops", [1, 2])
def test_each_event_loop_has_a_limit_of_its_own(loops):
    for _ in range(loops):
        callback = callbacks.Callback(lambda name: name, for_strangers=True)
        assert asyncio.run(callback("alice")) == "alice"
