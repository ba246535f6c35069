"""Server time of every page of the console, with 100,000 accounts and 10,000 cases; the bound is 200 ms.

What each page says is asserted before it is timed.
"""

from __future__ import annotations

import http.client
import statistics
import tempfile
import time
from pathlib import Path

from tests.real.desk import THEFT, Desk, calm, crowd, serve, stolen

ACCOUNTS, CASES, ROUNDS = 100_000, 10_000, 15
BOUND_MS = 200
#: a page, and what it must say
PAGES = {
    "/": "Unexplained outflow",
    "/wall": "Unexplained outflow",
    "/cases": f"/cases/{THEFT}",
    "/cases?state=all": "10,004 cases",
    "/cases?state=all&wallet=eth-hot": "10,001 cases",
    f"/cases/{THEFT}": "412,650",
    "/incidents": THEFT,
    f"/incidents/{THEFT}": "412,650",
    "/wallets": "50,001",
    "/wallets/eth-hot": "50,001",
    "/movements": "Unexplained",
    "/movements?reason=unexplained": "Unexplained",
    "/verdicts": "jp-psa-2020",
    "/verdicts/5": "Unverified",
    "/ceremonies": "No ceremony is announced",
    "/journal": "verdict",
}


def fill(desk: Desk) -> None:
    calm(desk, ACCOUNTS)
    stolen(desk)
    crowd(desk, CASES)


def fetch(connection: http.client.HTTPConnection, path: str) -> tuple[int, str]:
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, response.read().decode()


def main() -> int:
    slow = 0
    with tempfile.TemporaryDirectory() as folder, serve(Path(folder), fill) as site:
        connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)
        print(f"{ACCOUNTS:,} accounts, {CASES:,} cases; median and worst of {ROUNDS} on loopback, bound {BOUND_MS} ms")
        for path, said in PAGES.items():
            status, text = fetch(connection, path)
            assert (status, said in text) == (200, True), (path, status, said)
            taken = []
            for _ in range(ROUNDS):
                started = time.perf_counter()
                fetch(connection, path)
                taken.append(1000 * (time.perf_counter() - started))
            median = statistics.median(taken)
            slow += median > BOUND_MS
            print(f"{path:34} {median:8.1f} ms {max(taken):8.1f} ms  {len(text):8,} characters")
        connection.close()
    return 1 if slow else 0


if __name__ == "__main__":
    raise SystemExit(main())
