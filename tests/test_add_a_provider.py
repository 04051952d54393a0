"""The page on adding a provider, followed to the letter: its files are new, and the contract holds."""

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from responder import providers
from responder.action import Change
from responder.errors import ProviderError
from responder.registry import Registry
from responder.testing.bench import Bench, ContractBroken, ProviderCase
from responder.testing.contract import Check, checks

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "how-to" / "add-a-provider.md"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NAMED = re.compile(r"\A# (\S+\.py)(?:, continued)?\n")
MODULES = ("responder.providers.datadog", "cases.datadog", "responder_datadog")


def files() -> dict[str, str]:
    """Return what the page has its reader write, by path; blocks of one file stand one after another."""
    found: dict[str, str] = {}
    for kind, block in FENCE.findall(PAGE.read_text(encoding="utf-8")):
        named = NAMED.match(block)
        if kind == "python":
            assert named is not None, f"this block does not say its file:\n{block}"
            found[named[1]] = found.get(named[1], "") + block[named.end() :]
    return found


def forget() -> None:
    for name in MODULES:
        sys.modules.pop(name, None)
        parent, _, child = name.rpartition(".")
        if parent in sys.modules and hasattr(sys.modules[parent], child):
            delattr(sys.modules[parent], child)


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Write the page's files into a folder that lies beside the repository's own, as if they stood in it."""
    for name, text in files().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(providers, "__path__", [*providers.__path__, str(tmp_path / "responder" / "providers")])
    monkeypatch.syspath_prepend(tmp_path / "tests")
    forget()
    yield tmp_path
    forget()


def case() -> ProviderCase:
    found = importlib.import_module("cases.datadog").CASE
    assert isinstance(found, ProviderCase)
    return found


def test_every_file_of_the_page_is_new() -> None:
    assert {"responder/providers/datadog.py", "tests/cases/datadog.py"} == set(files())
    assert [] == [name for name in files() if (ROOT / name).exists()]


def test_the_provider_is_found_by_its_name(written: Path) -> None:
    found = Registry().provider("datadog")

    assert "datadog" in Registry().names()
    assert case().provider is found
    assert Registry().verb("datadog", "revoke") in found.actions


def test_the_provider_of_the_page_keeps_the_contract(written: Path) -> None:
    run = [check.name for check in checks(case()) if check.run() is None]

    assert len(run) > 12


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("HOLDS if found.status", "HOLDS if not found.status"),
        ('"api_keys_delete", write=True)', '"api_keys_delete")'),
        ('"api_keys_delete", write=True)', '"", write=True)'),
        ("        found = client.ask", "        return Verdict.HOLDS\n        found = client.ask"),
    ],
    ids=["reads back wrongly", "needs no permit", "names no permission", "believes the status"],
)  # fmt: skip
def test_the_contract_finds_what_is_wrong_with_it(written: Path, right: str, wrong: str) -> None:
    module = written / "responder" / "providers" / "datadog.py"
    text = module.read_text(encoding="utf-8")

    assert right in text

    head, _, tail = text.rpartition(right)
    module.write_text(head + wrong + tail, encoding="utf-8")
    found = [check.name for check in checks(case()) if breaks(check)]

    assert found


def breaks(check: Check) -> bool:
    """Tell whether a check finds something wrong."""
    try:
        check.run()
    except ContractBroken:
        return True
    return False


def test_an_id_that_is_another_keys_is_refused_as_the_page_says(written: Path) -> None:
    cases = importlib.import_module("cases.datadog")
    with cases.an_organisation() as live:
        bench = Bench(case().provider, live)
        action = cases.leaked(cases.datadog.RevokeKey)(live, bench.secret)

        assert isinstance(action.plan(bench.client()), Change)

        live.world["k-leaked"] = "77aa" * 8
        bench.failing(ProviderError, lambda: action.plan(bench.client()))
        bench.transport.close()


def test_the_blocks_are_written_as_the_house_writes() -> None:
    for name, text in files().items():
        for check in (["check", "--quiet"], ["format", "--check"]):
            words = [sys.executable, "-m", "ruff", *check, "--stdin-filename", str(ROOT / name), "-"]
            done = subprocess.run(words, input=text, capture_output=True, text=True, cwd=ROOT, check=False)

            assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"


def test_a_package_of_ones_own_is_found_by_its_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [toml] = [block for kind, block in FENCE.findall(PAGE.read_text(encoding="utf-8")) if kind == "toml"]
    group, line = re.findall(r'^\[project\.entry-points\."(.+)"\]\n(.+)$', toml, re.MULTILINE)[0]
    told = tmp_path / "acme-1.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1\n")
    (told / "entry_points.txt").write_text(f"[{group}]\n" + line.replace('"', ""))
    (tmp_path / "responder_datadog.py").write_text(files()["responder/providers/datadog.py"], encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    forget()

    assert Registry().provider("datadog").name == "datadog"
    assert "datadog" in Registry().names()

    forget()


def test_the_page_stays_readable() -> None:
    assert len(PAGE.read_text(encoding="utf-8").splitlines()) < 250
