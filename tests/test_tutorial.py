"""The tutorial, typed as it stands, with its files, against a gateway on loopback that notes what it sees."""

import json
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from responder.installation import login

TUTORIAL = Path(__file__).parent.parent / "docs" / "tutorial.md"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ANSWERS = {
    "/admin/v1/whoami": {"account": "acct-1"},
    "/admin/v1/keys/k_8f3d2a1c": {"status": "active"},
}


@dataclass
class Gateway:
    """The reader's own system, as the tutorial describes it."""

    url: str
    seen: list[str] = field(default_factory=list)


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    seen: list[str] = []

    class Answering(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            seen.append(f"{self.command} {self.path}")
            data = ANSWERS.get(self.path)
            body = json.dumps(data or {}).encode()
            self.send_response(200 if data else 401)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield Gateway(f"http://127.0.0.1:{server.server_address[1]}", seen)
    server.shutdown()
    thread.join()
    server.server_close()


def blocks(kind: str) -> list[str]:
    return [block for found, block in FENCE.findall(TUTORIAL.read_text(encoding="utf-8")) if found == kind]


def section(number: int) -> list[str]:
    """Return the commands of one of the tutorial's numbered parts that are ours."""
    part = re.split(r"^## \d+\. ", TUTORIAL.read_text(encoding="utf-8"), flags=re.MULTILINE)[number]
    shown = [block for kind, block in FENCE.findall(part) if kind == "console"]
    lines = [line[2:] for block in shown for line in block.splitlines()]
    return [line for line in lines if line.startswith("responder ")]


def type_in(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        "HOME": str(folder),
        "PATH": os.environ["PATH"],
        "XDG_STATE_HOME": str(folder / "state"),
        "GATEWAY_ADMIN": "admin-" + "a1B2" * 6,
        "GATEWAY_CONTROL": "control-" + "c3D4" * 6,
    }
    words = [sys.executable, "-m", "responder", *shlex.split(line)[1:]]
    return subprocess.run(
        words,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def test_every_command_up_to_the_first_plan_works_and_changes_nothing(tmp_path: Path, gateway: Gateway) -> None:
    begun = type_in(section(2)[0], tmp_path)

    assert begun.returncode == 0, begun.stderr

    home = tmp_path / "my-team"
    (settings,), (finding,) = blocks("yaml"), blocks("json")
    settings = settings.replace("https://gateway.example.com", gateway.url).replace(
        "os_user: ada", f"os_user: {login()}"
    )
    (home / "responder.yaml").write_text(settings, encoding="utf-8")
    (home / "finding.json").write_text(finding, encoding="utf-8")
    done = {line: type_in(line, home) for line in [*section(3), *section(4)]}

    assert dict.fromkeys(done, "") == {
        line: one.stdout + one.stderr if one.returncode else "" for line, one in done.items()
    }
    plan = done[section(4)[-1]].stdout

    assert "key k_8f3d2a1c: live -> disabled" in plan
    assert {"GET"} == {request.partition(" ")[0] for request in gateway.seen}


def test_the_first_thing_that_is_typed_is_the_drill() -> None:
    assert blocks("console")[0] == "$ make drill\n"
