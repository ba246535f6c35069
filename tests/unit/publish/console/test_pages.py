from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlencode

import pytest
from fastapi import FastAPI

from monitor.ledger import reader
from monitor.ledger.journal import Record
from monitor.ledger.store import Commit, Ledger
from monitor.model import CaseState, Destination
from monitor.publish.console.query import Followed
from monitor.publish.console.site import Entity
from monitor.publish.guard import Access
from monitor.publish.snapshot import Snapshots
from monitor.publish.web import Served, make_app
from tests.real.desk import ENTITY, NOW, SCOPE, THEFT, THIEF, Desk, block, calm, digest, locator, stolen, theft
from tests.unit.publish.asgi import Reply, call

PAGES = (
    "/", "/wall", "/cases", f"/cases/{THEFT}", "/incidents", f"/incidents/{THEFT}", "/wallets", "/wallets/eth-hot", "/movements", "/verdicts", "/verdicts/5",
    "/ceremonies", "/journal", "/journal/3",
)  # fmt: skip
HOSTILE = "<script>alert(1)</script>\u202e'\"&{{7*7}}"
LOCAL = Access("127.0.0.1", "http://127.0.0.1:9899")
FORM = {"content-type": "application/x-www-form-urlencoded", "origin": "http://127.0.0.1:9899"}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    ledger = Ledger(f"sqlite:///{tmp_path_factory.mktemp('pages') / 'porwatch.db'}")
    made = Desk(ledger)
    calm(made)
    stolen(made)
    yield made
    ledger.close()


def app_of(desk: Desk, access: Access = LOCAL, entity: Entity = ENTITY) -> FastAPI:
    snapshots = Snapshots(desk.ledger, desk.health, SCOPE, lambda: NOW)
    return make_app(
        Served(
            desk.ledger, desk.health, snapshots, SCOPE, desk, access,
            runbook=lambda name, lang: None, clock=lambda: NOW, entity=entity,
        )
    )  # fmt: skip


@pytest.fixture(scope="module")
def app(desk: Desk) -> FastAPI:
    return app_of(desk)


async def page(app: FastAPI, path: str, status: int = 200, **headers: str) -> str:
    reply = await call(app, "GET", path, headers=headers)
    assert (reply.status, reply.headers["content-type"]) == (status, "text/html; charset=utf-8"), reply.body
    return reply.body.decode()


class Tags(HTMLParser):
    """Every tag with its attributes, and whether a script or style has a text of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inline: list[str] = []
        self._within = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._within = tag

    def handle_data(self, data: str) -> None:
        if self._within in {"script", "style"} and data.strip():
            self.inline.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._within = ""


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_needs_nothing_that_its_own_policy_forbids(app: FastAPI, path: str) -> None:
    reply = await call(app, "GET", path)
    policy = reply.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "script-src 'self'" in policy
    found = Tags()
    found.feed(reply.body.decode())
    assert found.inline == []
    for tag, attributes in found.tags:
        assert not [name for name in attributes if name == "style" or name.startswith("on")], tag
        for name in ("src", "href", "action", "formaction", "hx-get"):
            assert (attributes.get(name) or "/").startswith(("/", "#")), (tag, attributes)


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_says_as_of_when_and_reloads_itself_without_javascript(app: FastAPI, path: str) -> None:
    text = await page(app, path)
    assert (
        '<time datetime="2026-09-21T14:13:20.000Z">2026-09-21 23:13:20<span class="zone">+09:00</span></time>' in text
    )
    assert ('<noscript><meta http-equiv="refresh" content="10"></noscript>' in text) is (path != f"/cases/{THEFT}")


@pytest.mark.parametrize("path", PAGES)
async def test_the_live_part_alone_is_sent_to_a_page_that_asks_for_it(app: FastAPI, path: str) -> None:
    whole, part = await page(app, path), await page(app, path, **{"hx-request": "true"})
    assert "<html" not in part
    assert part.strip() in whole


async def test_the_language_of_a_page_is_declared_and_the_choice_is_kept(app: FastAPI) -> None:
    assert '<html lang="en"' in await page(app, "/")
    assert '<html lang="ja"' in await page(app, "/", **{"accept-language": "ja-JP,ja;q=0.9"})
    reply = await call(app, "GET", "/?lang=ja")
    assert "porwatch_lang=ja" in reply.headers["set-cookie"]
    assert "SameSite=strict" in reply.headers["set-cookie"]
    assert "未照合の外部移転" in await page(app, "/", cookie="porwatch_lang=ja")
    assert "set-cookie" not in (await call(app, "GET", "/?lang=xx&theme=pink")).headers


async def test_amounts_are_shown_to_the_last_digit(app: FastAPI) -> None:
    text = re.sub(r"<[^>]+>", "", await page(app, "/wallets"))
    assert "8,000,000.000001" in text
    assert "611.000000000000000007" in text or "626.748352000000000007" in text


async def test_what_could_not_be_verified_never_looks_like_a_pass(app: FastAPI) -> None:
    text = await page(app, "/verdicts/5")
    chips = re.findall(r'<span class="chip (\w+)">.*?</svg>(\w+)</span>', text, re.DOTALL)
    assert {("PASS", "Pass"), ("BREACH", "Breach"), ("UNVERIFIED", "Unverified")} <= set(chips)
    shapes = {kind: re.search(rf'<span class="chip {kind}"><svg.*?</svg>', text, re.DOTALL) for kind, _ in chips}
    drawn = [match.group().replace(kind, "") for kind, match in shapes.items() if match]
    assert len(set(drawn)) == len(drawn)


async def test_hostile_text_stays_text(desk: Desk, app: FastAPI) -> None:
    case = theft(
        replace(block("ethereum", 23_412_007), hash=HOSTILE), HOSTILE, id=digest("hostile")[:16], wallet=HOSTILE, asset=HOSTILE, subject=HOSTILE,
        destinations=(Destination(HOSTILE, 1, known=False),), evidence={HOSTILE: HOSTILE}, state=CaseState.CLOSED,
    )  # fmt: skip
    desk.put(case)
    for path in (f"/cases/{case.id}", "/cases?state=all", "/journal"):
        text = await page(app, path)
        assert "<script>alert" not in text
        assert "\u202e" not in text
    shown = await page(app, f"/cases/{case.id}")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;⟦U+202E⟧&#39;&#34;&amp;{{7*7}}" in shown


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/cases/ffff", 404, "There is no such case."),
        ("/wallets/nobody", 404, "There is no such wallet"),
        ("/verdicts/999", 404, "There is no verdict"),
        ("/verdicts/٣", 404, "There is no such page."),
        ("/verdicts/1e3", 404, "There is no such page."),
        ("/journal/99999999999999999999999999", 404, "There is no such page."),
        ("/journal/0", 404, "The journal has no such record."),
        ("/cases?state=nonsense", 400, "a choice that does not exist"),
        ("/cases?before=ffff", 400, "That place in the list does not exist"),
        ("/movements?before=nonsense", 400, "That place in the list does not exist"),
        ("/movements?direction=up", 400, "a choice that does not exist"),
        ("/journal?before=-1", 400, "That place in the list does not exist"),
        ("/ceremonies?before=x", 400, "That place in the list does not exist"),
        ("/cases?q=" + "x" * 129, 400, "more than 128 characters"),
        ("/cases?q=%22", 400, "Search for a whole id"),
    ],
)
async def test_an_address_that_asks_for_nothing_here_is_told_so_on_a_page(
    app: FastAPI, path: str, status: int, said: str
) -> None:
    assert said in await page(app, path, status)


@pytest.mark.parametrize("name", ["../console.js", "..%2fwords%2fen.toml", "words", "x.css", "templates/base.html"])
async def test_only_the_consoles_own_files_are_served(app: FastAPI, name: str) -> None:
    assert (await call(app, "GET", f"/console/{name}")).status == 404


async def test_a_file_is_kept_by_a_browser_until_it_changes(app: FastAPI) -> None:
    found = re.search(r"/console/console\.css\?v=\w+", await page(app, "/"))
    assert found is not None
    kept = await call(app, "GET", found.group())
    assert "immutable" in kept.headers["cache-control"]
    assert (await call(app, "GET", "/console/console.css?v=old")).headers["cache-control"] == "no-cache"


async def test_behind_a_proxy_every_address_has_its_prefix(desk: Desk) -> None:
    behind = app_of(desk, Access("127.0.0.1", "https://desk.example/porwatch/"))
    found = Tags()
    found.feed(await page(behind, "/cases"))
    own = [
        attributes[name] for _, attributes in found.tags for name in ("href", "src", "hx-get") if attributes.get(name)
    ]
    assert [each for each in own if each and not each.startswith(("/porwatch/", "#"))] == []


async def test_cases_are_searched_by_state_wallet_transaction_and_address(app: FastAPI) -> None:
    for asked in (
        "wallet=eth-hot",
        "rule=unexplained_outflow&severity=critical",
        f"q={THIEF}",
        f"q={THEFT}",
        "chain=ethereum",
    ):
        assert f'href="/cases/{THEFT}"' in await page(app, f"/cases?{asked}")
    for asked in ("wallet=btc-hot", "severity=info", "state=closed", "q=0x00"):
        assert f'href="/cases/{THEFT}"' not in await page(app, f"/cases?{asked}")


async def test_movements_are_searched_by_reason_transaction_address_and_approval(app: FastAPI) -> None:
    unexplained = await page(app, "/movements?reason=unexplained")
    assert THIEF in unexplained
    assert f'href="/cases/{THEFT}"' in unexplained
    assert "w-1001" in await page(app, "/movements?q=w-1001")
    assert THIEF in await page(app, f"/movements?q={THIEF}")
    assert THIEF not in await page(app, "/movements?wallet=btc-hot")


async def send(app: FastAPI, case_id: str, action: str, headers: dict[str, str] | None = None, **fields: str) -> Reply:
    """As the form on the page of the case is sent, with the token that stands in it."""
    (token,) = {*re.findall(r'name="csrf_token" value="([0-9a-f]{64})"', await page(app, f"/cases/{THEFT}"))}
    body = urlencode({**fields, "csrf_token": token}).encode()
    return await call(app, "POST", f"/console/cases/{case_id}/{action}", body, FORM if headers is None else headers)


async def test_a_case_is_acknowledged_and_closed_by_a_form_and_the_browser_is_sent_to_its_page(desk: Desk) -> None:
    case = theft(block("ethereum", 23_412_007), "0x" + digest("form"), id=digest("form")[:16])
    desk.put(case)
    app = app_of(desk)
    done = await send(app, case.id, "ack", name=" Sato ", reason="first\r\nsecond")
    assert (done.status, done.headers["location"]) == (303, f"/cases/{case.id}")
    assert desk.acted[-1] == (case.id, "ack", "Sato", "first\nsecond")
    assert (await send(app, case.id, "close", name="Sato", reason="a missing approval")).status == 303
    again = await send(app, case.id, "close", name="Sato", reason="twice")
    assert again.status == 409
    assert "This case is closed." in again.body.decode()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "", "reason": "r"}, "Write your name and a reason."),
        ({"name": "Sato"}, "Write your name and a reason."),
        ({"name": "x" * 201, "reason": "r"}, "The name may have 200 characters"),
        ({"name": "Sato", "reason": "a\x1b[2J"}, "control characters"),
        ({"name": "Sa\u202eto", "reason": "r"}, "control characters"),
    ],
)
async def test_a_form_that_says_too_little_or_too_much_comes_back_with_what_was_written(
    desk: Desk, app: FastAPI, fields: dict[str, str], said: str
) -> None:
    before = list(desk.acted)
    reply = await send(app, THEFT, "ack", **fields)
    assert reply.status == 400
    assert said in reply.body.decode()
    if fields.get("reason") == "r":
        assert ">r</textarea>" in reply.body.decode()
    assert desk.acted == before


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({**FORM, "origin": "https://evil.example"}, 403),
        ({**FORM, "sec-fetch-site": "cross-site"}, 403),
        ({"content-type": FORM["content-type"]}, 403),
        ({**FORM, "host": "evil.example"}, 403),
        ({**FORM, "content-type": "multipart/form-data; boundary=x"}, 415),
    ],
)
async def test_a_form_from_elsewhere_changes_nothing(
    desk: Desk, app: FastAPI, headers: dict[str, str], status: int
) -> None:
    before = list(desk.acted)
    # Another page cannot know the token.
    body = urlencode({"name": "Mallory", "reason": "r"}).encode()
    assert (await call(app, "POST", f"/console/cases/{THEFT}/ack", body, headers)).status == status
    assert desk.acted == before


async def test_a_form_for_no_case_a_field_twice_and_too_large_a_body_are_refused(app: FastAPI) -> None:
    assert (await send(app, "ffff", "ack", name="Sato", reason="r")).status == 404
    twice = await call(app, "POST", f"/console/cases/{THEFT}/ack", b"name=a&name=b&reason=r", FORM)
    assert twice.status == 400
    large = await call(app, "POST", f"/console/cases/{THEFT}/ack", b"reason=" + b"x" * (1 << 20), FORM)
    assert large.status == 413


def test_the_console_ships_htmx_as_it_was_published() -> None:
    from chains.lab.binaries import component_folders

    ours = Path(__file__).parents[4] / "monitor/publish/console/static/htmx.min.js"
    for folder in component_folders():
        published = folder / "npm/node_modules/htmx.org/dist/htmx.min.js"
        if published.is_file():
            assert ours.read_bytes() == published.read_bytes()
            return
    pytest.skip("missing component: htmx.org: run `python tools/components.py anvil`")


def test_followed_addresses_are_counted_anew_when_one_is_added_and_not_before(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'porwatch.db'}")
    made, counted = Desk(ledger), Followed()
    with ledger.read() as connection:
        assert counted.counts(connection) == {}
    made.open(accounts=10)
    with ledger.read() as connection:
        first = counted.counts(connection)
        assert first == reader.watched_counts(connection)
        assert first["ethereum", "eth-hot"] == 6
        assert counted.counts(connection) is first
    retired = {"chain": "ethereum", "locators": [locator("eth-hot", 1)]}
    made.commit(Commit((Record("retired", retired),)))
    with ledger.read() as connection:
        assert counted.counts(connection)["ethereum", "eth-hot"] == 5
    ledger.close()


async def test_every_link_of_every_page_leads_somewhere(app: FastAPI) -> None:
    found = Tags()
    for path in PAGES:
        found.feed(await page(app, path))
    links = {
        attributes["href"] or "" for tag, attributes in found.tags if tag in {"a", "link"} and "href" in attributes
    }
    asked = {link.partition("#")[0] for link in links if not link.startswith(("#", "/runbooks/", "/-/ready"))}
    assert len(asked) > 60
    assert [link for link in sorted(asked) if (await call(app, "GET", link)).status != 200] == []


async def test_an_incident_says_what_its_cases_add_up_to_and_lists_them(app: FastAPI) -> None:
    listed = await page(app, "/incidents")
    assert f'href="/incidents/{THEFT}"' in listed
    assert "2 unresolved" in listed
    text = await page(app, f"/incidents/{THEFT}")
    assert "62 392 680.00 JPY" in text.replace("\u202f", " ").replace(",", " ")
    for name in (THEFT, digest("cold")[:16]):
        assert f'href="/cases/{name}"' in text
    assert digest("lie")[:16] not in text
    assert 'href="/incidents">Incidents <b>1</b>' in await page(app, "/")
    await page(app, "/incidents/ffff", 404)
    await page(app, "/incidents?before=ffff", 400)
