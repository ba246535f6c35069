"""`porwatch cases`: each function returns the exit code."""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.config import Config, SecretError
from monitor.publish.text import is_plain
from monitor.terminal import FINE, UNDETERMINED, WRONG, load_config, open_ledger, print_rows, say

if TYPE_CHECKING:
    from monitor.inbox import Inbox
    from monitor.model import Case

#: longer than any commit, shorter than a person's patience
_API_SECONDS = 15.0


def cases_list(path: Path, state: str, output: str) -> int:
    """`porwatch cases CONFIG list`."""
    from monitor.ledger import reader
    from monitor.model import CaseState
    from monitor.publish.render import render_case

    if state != "all" and state not in set(CaseState):
        say(f"--state {state}: write open, pending, acknowledged, closed or all")
        return WRONG
    opened = open_ledger(path)
    if opened is None:
        return WRONG
    config, ledger = opened
    with ledger.read() as connection:
        found = reader.cases(connection, states=None if state == "all" else (CaseState(state),))
    ledger.close()
    rows = [render_case(case, config.decimals) for case in found]
    if output == "json":
        sys.stdout.write(json.dumps({"cases": rows, "next": None}, indent=2, ensure_ascii=False) + "\n")
    else:
        columns = ("id", "opened_at", "state", "severity", "rule", "chain", "wallet", "asset", "amount", "txid")
        print_rows(columns, rows, output)
    return FINE


def cases_show(path: Path, case_id: str) -> int:
    """`porwatch cases CONFIG show ID`."""
    from monitor.ledger import reader
    from monitor.publish.render import render_case

    opened = open_ledger(path)
    if opened is None:
        return WRONG
    config, ledger = opened
    with ledger.read() as connection:
        case = reader.case(connection, case_id)
    ledger.close()
    if case is None:
        say(f"there is no case {case_id}: see `porwatch cases {path} list`")
        return WRONG
    sys.stdout.write(json.dumps(render_case(case, config.decimals), indent=2, ensure_ascii=False) + "\n")
    return FINE


def cases_act(path: Path, case_id: str, action: str, name: str, reason: str) -> int:
    """`porwatch cases CONFIG ack|close ID`."""
    body = {"name": name, "reason": reason}
    return _change(path, case_id, action, body, lambda inbox: inbox.act(case_id, action, name, reason))


def cases_notified(path: Path, case_id: str, notice: Mapping[str, str], name: str, reason: str) -> int:
    """`porwatch cases CONFIG notified ID`. ``notice``: event, authority, channel, and the file of a letter or ""."""
    from monitor.model import Notice

    told = {key: value for key, value in notice.items() if key != "letter"}
    if not all(is_plain(text) and text.strip() for text in (*told.values(), name, reason)):
        say("--event, --authority, --channel, --name and --reason must be plain texts, none of them empty")
        return WRONG
    content = ""
    if notice["letter"]:
        try:
            content = sha256(Path(notice["letter"]).read_bytes()).hexdigest()
        except OSError as error:
            say(f"--letter {notice['letter']}: {error.strerror}")
            return WRONG
    body = {"name": name, "reason": reason, **told, "content": content}
    what = Notice(**told, content=content)
    return _change(path, case_id, "notified", body, lambda inbox: inbox.notified(case_id, what, name, reason))


def _change(
    path: Path, case_id: str, action: str, body: Mapping[str, str], ask: Callable[[Inbox], Awaitable[Case]]
) -> int:
    """Through the running monitor where there is one, else in the ledger."""
    from monitor import daemon
    from monitor.ledger.store import LedgerError

    config = load_config(path)
    if config is None:
        return WRONG
    try:
        state = asyncio.run(daemon.change(config, ask))
    except LedgerError:
        return _change_through_api(config, case_id, action, body)
    except KeyError:
        say(f"there is no case {case_id}: see `porwatch cases {path} list`")
        return WRONG
    except (ValueError, SecretError) as error:
        say(str(error))
        return WRONG
    sys.stdout.write(f"{case_id} {state}\n")
    return FINE


def _change_through_api(config: Config, case_id: str, action: str, body: Mapping[str, str]) -> int:
    if config.web.config_file is not None or config.web.trusted_proxy is not None:
        # Who stands at this terminal has shown nobody who he is.
        say("the running monitor asks who acts: log in to its API or its console, and do it there")
        return WRONG
    request = urllib.request.Request(
        f"http://{config.web.listen}/api/v1/cases/{case_id}/{action}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=_API_SECONDS) as response:  # noqa: S310  the scheme is ours
            answer = json.load(response)
    except urllib.error.HTTPError as error:
        say(json.load(error)["error"])
        return WRONG
    except OSError as error:
        say(f"the running monitor does not answer on web.listen {config.web.listen}: {error}")
        return UNDETERMINED
    sys.stdout.write(f"{case_id} {answer['data']['state']}\n")
    return FINE
