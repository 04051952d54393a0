"""Runs in the peers' environment: one flow after another in a process that has imported Prefect."""

import json
import os
import sys
import time
from pathlib import Path

answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)
sys.path[0] = str(Path(__file__).resolve().parent.parent.parent)  # not beside this file; `bench` is a package there

from prefect import flow, task  # noqa: E402 - after the streams have been put in order
from prefect.futures import wait  # noqa: E402
from prefect.task_runners import ThreadPoolTaskRunner  # noqa: E402

from bench.work import ITEM_NAP, ITEMS, LANES, LEVELS, NAP, STEPS, WIDTH, needs  # noqa: E402


@task
def nothing() -> None:
    """Do nothing."""


@task
def nap(seconds: float) -> None:
    time.sleep(seconds)


@flow
def one() -> None:
    nothing()


@flow
def chain() -> None:
    for _ in range(STEPS):
        nothing()


@flow(task_runner=ThreadPoolTaskRunner(max_workers=STEPS))
def graph() -> None:
    done = {}
    for level in range(LEVELS):
        for lane in range(LANES):
            done[level, lane] = nap.submit(NAP, wait_for=[done[need] for need in needs(level, lane)])
    wait(list(done.values()))


@flow(task_runner=ThreadPoolTaskRunner(max_workers=WIDTH))
def fan_out() -> None:
    wait([nap.submit(ITEM_NAP) for _ in range(ITEMS)])


FLOWS = {"one": one, "chain": chain, "graph": graph, "fan_out": fan_out}

if sys.argv[1:]:
    FLOWS[sys.argv[1]]()
    sys.exit(0)
for line in sys.stdin:
    (name,) = json.loads(line)
    started = time.perf_counter()
    FLOWS[name]()
    answers.write(json.dumps({"seconds": time.perf_counter() - started}) + "\n")
