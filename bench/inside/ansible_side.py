"""Runs in the peers' environment: one ansible-playbook after another in a process that has imported it."""

import json
import os
import time

answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)
lines = os.fdopen(os.dup(0), "r")
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)

from ansible.cli.playbook import PlaybookCLI  # noqa: E402 - after the streams have been put in order


def play(words: list[str]) -> int:
    """Return the exit code of one call, made in a fork: what ansible keeps of a call does not fit the next one."""
    child = os.fork()
    if child == 0:
        code = 250
        try:
            code = PlaybookCLI(["ansible-playbook", *words]).run()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


for line in lines:
    words = json.loads(line)
    started = time.perf_counter()
    code = play(words)
    took = time.perf_counter() - started
    answers.write(json.dumps({"error": f"it ended with {code}"} if code else {"seconds": took}) + "\n")
