"""Which installed package's provider is found, wherever on the path it is installed."""

from pathlib import Path
from zipfile import ZipFile

import clockwork
import pytest

from responder.errors import PlaybookError
from responder.registry import Registry


def install(folder: Path, package: str, *points: str) -> Path:
    """Make a folder of the path in which a package is installed that has these providers."""
    about = folder / f"{package}-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n")
    (about / "entry_points.txt").write_text("\n".join(["[responder.providers]", *points]))
    return folder


@pytest.mark.parametrize(
    "packages",
    [
        pytest.param([("wound", "outside = clockwork:PROVIDER")], id="in the first folder"),
        pytest.param([("other",), ("wound", "outside = clockwork:PROVIDER")], id="in the second folder"),
        pytest.param(
            [("wound", "outside = clockwork:PROVIDER"), ("wound", "outside = nothing:PROVIDER")],
            id="hides an older version of itself",
        ),
        pytest.param([("wound", "# nothing = but:this", "outside=clockwork:PROVIDER [more]")], id="with extras"),
    ],
)
def test_a_provider_is_found(packages: list[tuple[str, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, (package, *points) in reversed(list(enumerate(packages))):
        monkeypatch.syspath_prepend(install(tmp_path / str(number), package, *points))

    assert Registry().provider("outside") is clockwork.PROVIDER


def test_a_provider_is_found_behind_an_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(install(tmp_path / "old", "wound", "outside = clockwork:PROVIDER"))
    with ZipFile(tmp_path / "new.zip", "w") as archive:
        archive.writestr("wound-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: wound\nVersion: 1\n")
        archive.writestr("wound-1.dist-info/entry_points.txt", "[responder.providers]\nfar = clockwork:PROVIDER")
    monkeypatch.syspath_prepend(tmp_path / "new.zip")

    assert Registry().provider("far") is clockwork.PROVIDER
    with pytest.raises(PlaybookError, match="There is no provider 'outside'"):
        Registry().provider("outside")


def test_the_version_that_is_hidden_by_another_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(install(tmp_path / "old", "wound", "outside = clockwork:PROVIDER"))
    monkeypatch.syspath_prepend(install(tmp_path / "new", "wound"))

    with pytest.raises(PlaybookError, match="There is no provider 'outside'"):
        Registry().provider("outside")
