"""What users install: the wheel, not the checkout."""

import email.message
import email.parser
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "authx"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Iterator[zipfile.ZipFile]:
    target = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(target)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=PATIENCE)
    (path,) = target.glob("*.whl")
    assert path.name.startswith("authx_fastapi-")
    with zipfile.ZipFile(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def metadata(wheel) -> email.message.Message:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return email.parser.Parser().parsestr(wheel.read(name).decode())


def in_folder(folder: Path) -> set[str]:
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {f"authx/{name}" for name in files if "__pycache__" not in name}


def test_the_wheel_has_the_package_whole_and_nothing_else(wheel):
    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert packed == in_folder(PACKAGE)


def test_the_wheel_tells_type_checkers_that_it_is_typed(wheel):
    assert "authx/py.typed" in wheel.namelist()


def test_the_wheel_has_the_licence(wheel, metadata):
    assert metadata["License-Expression"] == "Apache-2.0"
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel.namelist())


def test_the_wheel_needs_six_distributions(metadata):
    needed = [Requirement(text) for text in metadata.get_all("Requires-Dist")]
    assert {requirement.name for requirement in needed if requirement.marker is None} == {
        "fastapi",
        "starlette",
        "pydantic",
        "pydantic-settings",
        "cryptography",
        "orjson",
    }


def test_the_extra_all_takes_every_other_extra(metadata):
    needed = [Requirement(text) for text in metadata.get_all("Requires-Dist")]
    brought = {
        extra: {need.name for need in needed if need.marker is not None and need.marker.evaluate({"extra": extra})}
        for extra in metadata.get_all("Provides-Extra")
    }
    everything = brought.pop("all")
    assert everything == set().union(*brought.values())
    assert everything


def test_the_wheel_works_without_the_checkout(wheel, tmp_path):
    wheel.extractall(tmp_path)
    code = "import authx, authx.demo.app; print(authx.__file__, authx.AuthX, authx.__version__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(tmp_path)},
        timeout=PATIENCE,
    )
    assert done.stdout.startswith(str(tmp_path)), done.stderr
