"""The person at the pager: acknowledges or closes, over the API, every case that has paged."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time

from chains.lab.process import LOOPBACK
from tools.crashtest.receiver import Pager

_NOBODY = (OSError, http.client.HTTPException)
_PAUSE_SECONDS = 0.1
#: pages are left firing for a while, so that restarts say them again
_THINKING_SECONDS = 3.0
_ANSWER_SECONDS = 5.0


class Person(threading.Thread):
    """Acts until stopped. ``actions``: what was asked for, by case id, whether or not an answer came back."""

    def __init__(self, pager: Pager, port: int, seed: str) -> None:
        super().__init__(name="person")
        self._pager = pager
        self._port = port
        self._random = random.Random(seed)  # noqa: S311  reproducible, no secret
        self._stop_asked = threading.Event()
        self._noticed: dict[str, float] = {}
        self.actions: dict[str, str] = {}

    def stop(self) -> None:
        self._stop_asked.set()
        self.join()

    def run(self) -> None:
        while not self._stop_asked.wait(_PAUSE_SECONDS):
            now = time.time()
            for case_id in self._pager.firing(now):
                if now - self._noticed.setdefault(case_id, now) > _THINKING_SECONDS and not self._act(case_id):
                    break

    def _act(self, case_id: str) -> bool:
        """Ask again for the same where no answer came; False where nobody listens."""
        action = self.actions.setdefault(case_id, self._random.choice(("ack", "close")))
        connection = http.client.HTTPConnection(LOOPBACK, self._port, timeout=_ANSWER_SECONDS)
        try:
            body = json.dumps({"name": "on call", "reason": "planted by the crash test"})
            connection.request("POST", f"/api/v1/cases/{case_id}/{action}", body, {"Content-Type": "application/json"})
            connection.getresponse().read()
        except _NOBODY:
            return False
        finally:
            connection.close()
        return True
