"""What `authx.testing` gives, and what it does not drag in."""

import subprocess
import sys

import pytest

import authx.testing


def modules_after(statement):
    """The modules that are loaded once a statement has run in a new interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}; import sys; print(' '.join(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_these_are_the_names():
    assert set(authx.testing.__all__) == {"Clock", "FaultyStore", "StoreContract", "login_client"}
    for name in authx.testing.__all__:
        assert getattr(authx.testing, name).__name__ == name


def test_another_name_is_an_error():
    with pytest.raises(AttributeError, match="Clocks"):
        _ = authx.testing.Clocks


def test_the_library_does_not_import_it():
    loaded = modules_after("import authx, authx.main, authx.http.router, authx.http.endpoints, authx.stores.sqlite")
    assert not {name for name in loaded if name.startswith("authx.testing")}


def test_importing_it_needs_no_client_and_no_pytest():
    loaded = modules_after("import authx.testing")
    assert not {"httpx", "httpx2", "pytest", "_pytest", "starlette.testclient"} & loaded
