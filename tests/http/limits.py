"""Requests that a rate limiter counts."""

import asyncio

import pytest
from fastapi import Depends, FastAPI
from tests.support.asgi import request_of

from authx.exceptions import RateLimitExceeded


def count(backend, key="k", window=60):
    return asyncio.run(backend.increment(key, window))


def request(host="198.51.100.7", **headers):
    return request_of(headers, client=None if host is None else (host, 4711))


def call(limiter, made=None):
    asyncio.run(limiter(made or request()))


def wait_after(limiter, made=None):
    with pytest.raises(RateLimitExceeded) as caught:
        call(limiter, made)
    return caught.value.retry_after


def app_with(limiter):
    app = FastAPI()

    @app.get("/limited", dependencies=[Depends(limiter)])
    def limited():
        return "passed"

    return app
