"""The tables about who was told: by alerts (the insider list), and outside by a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from monitor.canonical import Json
from monitor.model import Case, Event, Severity, rfc3339
from monitor.publish.bundle.cells import cut
from monitor.publish.bundle.context import Context, Rows, verdict_seq
from monitor.publish.pack.clocks import due
from monitor.rules.profile import Notification

#: events of profiles that an outflow may have to be told as; which it is, a person decides
_OF_AN_OUTFLOW = frozenset({"outflow", "it_incident", "major_incident", "publication"})


def recipients(context: Context) -> Rows:
    """A row for each delivery of the period and each person behind it; without a name where none is configured."""
    until = verdict_seq(context.evidence)
    rows = []
    for line in context.evidence.records("delivered"):
        if line.seq > until or line.body is None or line.at is None or line.at < context.begin:
            continue
        body = line.body
        rows += [
            {
                "case": body["case"],
                "receiver": body["receiver"],
                "person": None if person is None else cut(person),
                "channel": "redacted" if body["redacted"] else "full",
                "at": rfc3339(line.at),
                "status": "sent",
                "content": body["content"],
            }
            for person in body["people"] or [None]
        ]
    return rows


def notifications(context: Context, cases: Iterable[Case]) -> Rows:
    """What was told outside of each case, and what the shown profiles ask of the first case of a critical outflow."""
    duties = [duty for profile in context.profiles for duty in profile.notifications]
    return [row for case in cases for row in _of_case(case, duties)]


def _of_case(case: Case, duties: list[Notification]) -> Iterator[Json]:
    told = [event for event in case.history if event.notice is not None]
    done = {(event.notice.event, event.notice.authority) for event in told if event.notice is not None}
    by_name = {(duty.event, duty.authority): duty for duty in reversed(duties)}
    for event in told:
        yield _row(case, event, by_name)
    if case.severity is not Severity.CRITICAL or case.units is None or case.incident not in {None, case.id}:
        return
    for duty in duties:
        if duty.event in _OF_AN_OUTFLOW and (duty.event, duty.authority) not in done:
            yield _duty(case, duty) | {"done_at": None, "channel": None, "person": None, "content": None}


def _row(case: Case, event: Event, duties: Mapping[tuple[str, str], Notification]) -> Json:
    notice = event.notice
    assert notice is not None
    duty = duties.get((notice.event, notice.authority))
    asked = {"deadline": None, "from": None, "verified": None, "template": None} if duty is None else _duty(case, duty)
    return asked | {
        "case": case.id,
        "event": cut(notice.event),
        "authority": cut(notice.authority),
        "done_at": rfc3339(event.at),
        "channel": cut(notice.channel),
        "person": cut(event.by),
        "content": notice.content or None,
    }


def _duty(case: Case, duty: Notification) -> Json:
    deadline, _ = due(duty, case.opened_at)
    return {
        "case": case.id,
        "event": cut(duty.event),
        "authority": cut(duty.authority),
        "deadline": None if deadline is None else rfc3339(deadline),
        "from": duty.starts,
        "verified": duty.verified.value,
        "template": duty.template,
    }
