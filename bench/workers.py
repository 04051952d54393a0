"""What the record costs beside a bare queue: `make bench-workers`.

A thousand runs of one step are begun and queued; then two workers advance them, and every chain is verified. The floor
is Procrastinate alone: two of its workers move a thousand jobs that do nothing, with the same settings and the same
connections, in the same run of this program, in turns with the runs. The clock starts when both workers stand ready.

`--waiting N` measures instead what two idle workers use while N runs wait for people.
"""

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import procrastinate
import psycopg
from postgresql import Server, server

from bench import idle
from responder.app import App, open_app
from responder.finding import Exposure, Finding
from responder.fleet.jobs import Jobs
from responder.fleet.worker import CONCURRENCY, Worker, connector, make_queue, work_settings
from responder.registry import Registry
from responder.store import Location

PLAYBOOK = """\
playbook: p
title: t
version: 1
roles: {oncall: {}}
steps:
"""
ONE_STEP = PLAYBOOK + "  - {id: a, phase: analysis, action: idle.nothing}\n"
ASKS = PLAYBOOK + (
    "  - {id: a, phase: analysis, action: human.task, with: {role: oncall, instructions: i, on_timeout: abort}}\n"
)
SETTINGS = "people: {ann: {name: Ann, roles: [oncall]}}\nconnections: {idle: {provider: idle, account: acct-1}}\n"
MOST_BEGUN = 300
"""How many of the runs that wait were really begun; the others are copies of a row of theirs."""
COPIES = (
    "INSERT INTO responder.runs (run, incident, playbook, state, epoch, wake_at, executor, heartbeat)"
    " SELECT run || '-' || n, incident || '-' || n, playbook, state, epoch, wake_at, executor, heartbeat"
    " FROM (SELECT * FROM responder.runs LIMIT 1) one, generate_series(1, %s) n"
)
LEAST = 0.4
"""The part of Procrastinate's own rate that runs must reach."""


def furnish(place: Path, playbook: str) -> None:
    (place / "responder.yaml").write_text(SETTINGS)
    (place / "playbooks").mkdir(exist_ok=True)
    (place / "playbooks" / "p.yaml").write_text(playbook)


def opened(place: Path, url: str, playbook: str = "") -> App:
    if playbook:  # only who begins: a worker that wrote the files again would take them from the other one's eyes
        furnish(place, playbook)
    app = open_app(
        config=place / "responder.yaml",
        store=url,
        environment={"HOME": str(place)},
        registry=Registry({"idle": idle.PROVIDER}),
    )
    app.person = "ann"
    return app


def begun(app: App, count: int) -> list[str]:
    """Begin runs, each for a credential of its own."""
    book = app.library.load("p")
    runs = []
    for number in range(count):
        value = app.means.sealer.secret(f"some-value-{number:06d}-" + "x" * 20)
        runs.append(app.begin(book, Finding(value=value, exposure=Exposure(kind="public")), {}).run)
    return runs


# The two kinds of worker, each a process of its own -------------------------------------------------------------------


def run_worker(place: str, url: str) -> None:
    app = opened(Path(place), url)
    assert app.attendance.jobs is not None
    worker = Worker(app.means, app.dispatcher, app.attendance.jobs, concurrency=CONCURRENCY, tell=lambda _: None)
    ready()
    worker.work()
    app.close()


def job_worker(url: str) -> None:
    app = procrastinate.App(connector=connector(Location(url=url)))

    @app.task(name="nothing", queue="runs")
    async def nothing(run: str) -> None:
        pass

    async def work() -> None:
        async with app.open_async():
            await app.run_worker_async(**work_settings("bare", CONCURRENCY), install_signal_handlers=True)

    ready()
    asyncio.run(work())


def ready() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


@contextmanager
def two_workers(*arguments: str) -> Iterator[list[subprocess.Popen[str]]]:
    """Two processes of this program that stand ready, and begin when the block is entered."""
    command = [sys.executable, __file__, *arguments]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ})
        for _ in range(2)
    ]
    try:
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        yield workers
    finally:
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        for worker in workers:
            worker.communicate(timeout=30)


# What is measured -----------------------------------------------------------------------------------------------------


def empty_jobs(running: Server, count: int) -> float:
    """Return at how many jobs a second two workers of Procrastinate move empty jobs."""
    url = running.database()
    jobs = Jobs(Location(url=url), None)  # type: ignore[arg-type] - nothing here has a time
    make_queue(jobs)
    with psycopg.connect(**Jobs.parameters(jobs.location)) as connection:
        connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args)"
            " SELECT 'runs', 'nothing', 'run-' || n, 'run-' || n, jsonb_build_object('run', 'run-' || n)"
            " FROM generate_series(1, %s) n",
            (count,),
        )
        with two_workers("--job-worker", url):
            began = time.perf_counter()
            left(connection, "SELECT count(*) FROM procrastinate_jobs")
            seconds = time.perf_counter() - began
    jobs.close()
    return count / seconds


def runs(running: Server, count: int) -> float:
    """Return at how many runs a second two workers advance runs of one step; every chain is verified."""
    url = running.database()
    with tempfile.TemporaryDirectory() as folder:
        app = opened(Path(folder), url, ONE_STEP)
        assert app.attendance.jobs is not None
        make_queue(app.attendance.jobs)
        begun(app, count)
        with psycopg.connect(url) as connection, two_workers("--run-worker", folder, url):
            began = time.perf_counter()
            left(connection, "SELECT count(*) FROM responder.runs WHERE state <> 'ended'")
            seconds = time.perf_counter() - began
        for incident in app.means.store.incidents():
            assert app.verify(incident) == []
            assert app.timeline(incident)[-1].event == "ended"
        app.close()
    return count / seconds


def left(connection: psycopg.Connection[tuple[int]], query: str) -> None:
    """Wait until nothing is left."""
    until = time.monotonic() + 120
    connection.autocommit = True if not connection.info.transaction_status else connection.autocommit
    while True:
        row = connection.execute(query).fetchone()
        connection.commit()
        if row is not None and not row[0]:
            return
        assert time.monotonic() < until, f"{row} left"
        time.sleep(0.02)


def waiting(running: Server, count: int, seconds: float) -> dict[str, float]:
    """Return what two idle workers and the server use while so many runs wait for people."""
    url = running.database()
    with tempfile.TemporaryDirectory() as folder:
        app = opened(Path(folder), url, ASKS)
        assert app.attendance.jobs is not None
        make_queue(app.attendance.jobs)
        real = min(count, MOST_BEGUN)
        begun(app, real)
        with psycopg.connect(url, autocommit=True) as connection, two_workers("--run-worker", folder, url) as workers:
            asked = "SELECT count(*) FROM responder.runs WHERE executor <> '' OR epoch = 0"
            left(connection, asked)
            connection.execute(COPIES, (count - real,))
            time.sleep(3)
            before = [cpu(worker.pid) for worker in workers]
            database = cpu_of_server(connection)
            time.sleep(seconds)
            used = [cpu(worker.pid) - was for worker, was in zip(workers, before, strict=True)]
            found = {
                "cpu_percent_of_each_worker": round(100 * max(used) / seconds, 2),
                "cpu_percent_of_the_server": round(100 * (cpu_of_server(connection) - database) / seconds, 2),
                "threads_of_each_worker": max(len(list(Path(f"/proc/{one.pid}/task").iterdir())) for one in workers),
            }
            found["jobs"] = left_jobs(connection)
        app.close()
    return found


def left_jobs(connection: psycopg.Connection[tuple[int]]) -> int:
    row = connection.execute("SELECT count(*) FROM responder_queue.procrastinate_jobs").fetchone()
    return row[0] if row else 0


def cpu(pid: int) -> float:
    """Return the seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_of_server(connection: psycopg.Connection[tuple[int]]) -> float:
    """Return the processor time of the server's processes that serve this database."""
    query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    return sum(cpu(row[0]) for row in connection.execute(query).fetchall())


def main() -> int:
    read = argparse.ArgumentParser(description=__doc__)
    read.add_argument("--rounds", type=int, default=3)
    read.add_argument("--count", type=int, default=1000)
    read.add_argument("--waiting", type=int, default=0, metavar="N")
    read.add_argument("--seconds", type=float, default=30.0)
    given = read.parse_args()
    with server() as running:
        if given.waiting:
            print(json.dumps(waiting(running, given.waiting, given.seconds), indent=2))
            return 0
        ratios, rates = [], []
        for number in range(given.rounds):
            floor = empty_jobs(running, given.count)
            rate = runs(running, given.count)
            ratios.append(rate / floor)
            rates.append((rate, floor))
            print(
                f"round {number + 1}: {rate:.0f} runs/s, {floor:.0f} empty jobs/s, ratio {rate / floor:.2f}", flush=True
            )
    median = statistics.median(ratios)
    print(f"ratio {median:.2f} (least {min(ratios):.2f}, most {max(ratios):.2f}); at least {LEAST}")
    return 0 if median >= LEAST else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run-worker"]:
        run_worker(*sys.argv[2:])
    elif sys.argv[1:2] == ["--job-worker"]:
        job_worker(*sys.argv[2:])
    else:
        sys.exit(main())
