"""People who answer from another opening of the store, question after question."""

import threading
import time
from collections.abc import Callable, Sequence

from conftest import OpenApp

from responder.app import App
from responder.unit import Ask

Reply = Callable[[App, Ask], object]


def replying(opened: OpenApp, run: str, step: str, replies: Sequence[Reply], person: str = "carl") -> threading.Thread:
    """Give one reply to each new question of a step, in a thread that ends with the last."""

    def wait() -> None:
        app = opened(person)
        for reply in replies:
            ask = _next(app, run, step)
            if ask is None:
                return
            reply(app, ask)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def _next(app: App, run: str, step: str) -> Ask | None:
    for _ in range(400):
        unit = app.state(run).units.get(step)
        if unit and unit.ask:
            return unit.ask
        time.sleep(0.02)
    return None
