"""The wheel carries the playbooks and templates, and works wherever it is installed."""

import json
import os
import site
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NO_HATCHLING = "hatchling builds the wheel and is not installed: `make test` installs it"

LOOK = """
import json, pathlib, responder
from responder.library import Library
library = Library(None)
print(json.dumps({
    "package": str(pathlib.Path(responder.__file__).parent),
    "files": {name: str(path) for name, path in library.playbook_paths().items()},
    "playbooks": sorted(library.playbooks()),
    "templates": sorted(library.templates()),
}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if find_spec("hatchling") is None:
        pytest.skip(NO_HATCHLING)
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder), cwd=ROOT)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("installed")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    run(*pip, "--no-deps", "--no-index", "--target", str(target), str(wheel), cwd=target)
    return target


def run(*command: str, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def elsewhere(installed: Path, cwd: Path, *arguments: str) -> str:
    """Run Python so that it finds the installed copy, the libraries, and nothing of the checkout."""
    paths = os.pathsep.join([str(installed), *site.getsitepackages()])
    return run(sys.executable, "-S", *arguments, cwd=cwd, PYTHONPATH=paths, HOME=str(cwd))


def bundled(wheel: Path) -> set[str]:
    prefix = "responder/_bundled/"
    with zipfile.ZipFile(wheel) as archive:
        return {name.removeprefix(prefix) for name in archive.namelist() if name.startswith(prefix) and name[-1] != "/"}


@pytest.mark.parametrize(("folder", "pattern"), [("playbooks", "**/*.yaml"), ("templates", "**/*.j2")])
def test_the_wheel_carries_every_file(wheel: Path, folder: str, pattern: str) -> None:
    ours = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).glob(pattern)}

    assert ours
    assert ours <= bundled(wheel)


def test_the_wheel_carries_no_state_of_anybody(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()

    assert [] == [name for name in names if not name.startswith(("responder/", "responder-"))]
    assert [] == [name for name in names if name.endswith((".db", ".key", ".log", ".pyc"))]


def test_an_installed_copy_finds_its_playbooks_and_templates(installed: Path, tmp_path: Path) -> None:
    found = json.loads(elsewhere(installed, tmp_path, "-c", LOOK))

    assert found["package"] == str(installed / "responder")
    assert all(path.startswith(str(installed)) for path in found["files"].values())
    assert found["playbooks"] == sorted(path.stem for path in (ROOT / "playbooks").glob("*.yaml"))
    assert found["templates"] == sorted(
        path.name.removesuffix(".j2").rpartition(".")[0] for path in (ROOT / "templates").glob("**/*.j2")
    )


def test_an_installed_copy_answers_on_the_command_line(installed: Path, tmp_path: Path) -> None:
    shown = elsewhere(installed, tmp_path, "-m", "responder", "--help")

    assert "Usage: responder" in shown
