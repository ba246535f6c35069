"""The console in a real browser: everybody can read it, by keyboard and without JavaScript, and it never hides its age."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.real.browser import COLOURS, axe_source, chromium, violations
from tests.real.desk import THEFT, Desk, Site, calm, crowd, digest, serve, stolen

pytestmark = pytest.mark.component("chromium")

ROUTES = (
    "/",
    "/wall",
    "/cases",
    f"/cases/{THEFT}",
    "/incidents",
    f"/incidents/{THEFT}",
    "/wallets",
    "/wallets/eth-hot",
    "/movements",
    "/verdicts",
    "/verdicts/5",
    "/ceremonies",
    "/journal",
    "/journal/3",
    "/cases/0000",
)


def fill(desk: Desk) -> None:
    calm(desk, accounts=200)
    stolen(desk)
    crowd(desk, 10_000)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serve(tmp_path_factory.mktemp("console"), fill) as served:
        yield served


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    context = browser.new_context(base_url=site.url, viewport={"width": 1440, "height": 900})
    opened = context.new_page()
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: said.append(str(error)))
    yield opened
    context.close()
    # A blocked script or style, or a resource of another origin, is said here.
    assert [text for text in said if "404" not in text and "ERR_CONNECTION" not in text] == []


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_axe_finds_nothing_on_any_page_in_either_theme(page: Page, lang: str) -> None:
    source, found = axe_source(), []
    for route in ROUTES:
        page.goto(f"{route}?lang={lang}")
        page.emulate_media(color_scheme="light")
        found += [(route, "light", *each) for each in violations(page, source)]
        page.emulate_media(color_scheme="dark")
        found += [(route, "dark", *each) for each in violations(page, source, COLOURS)]
    assert found == []


def test_a_page_is_read_and_a_case_acknowledged_by_keyboard_alone(page: Page, site: Site) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the content")
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    link = page.get_by_role("link", name="Cold wallet without approval")
    for _ in range(40):
        page.keyboard.press("Tab")
        if link.evaluate("element => element === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Cold wallet without approval")
    name = page.get_by_label("Your name")
    for _ in range(60):
        page.keyboard.press("Tab")
        if name.evaluate("element => element === document.activeElement"):
            break
    page.keyboard.type("Sato Hanako")
    page.keyboard.press("Tab")
    page.keyboard.type("Key holders are being called.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".case-head .state")).to_have_text("acknowledged")
    assert site.desk.acted[-1] == (digest("cold")[:16], "ack", "Sato Hanako", "Key holders are being called.")


def test_without_javascript_a_case_is_closed_by_its_form_and_the_page_renews_itself(
    browser: Browser, site: Site
) -> None:
    context = browser.new_context(base_url=site.url, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"/cases/{digest('lie')[:16]}?lang=ja")
    page.get_by_label("氏名").fill("佐藤 花子")
    page.get_by_label("理由").fill("事業者に証拠を送付した。\n以後は照会しない。")
    page.get_by_role("button", name="解決とする").click()
    expect(page.locator(".case-head .state")).to_have_text("解決済み")
    expect(page.locator(".timeline li").last).to_contain_text("佐藤 花子")
    assert site.desk.acted[-1][1:] == ("close", "佐藤 花子", "事業者に証拠を送付した。\n以後は照会しない。")
    page.goto("/")
    assert page.locator('meta[http-equiv="refresh"]').get_attribute("content") == "10"
    context.close()


@pytest.mark.parametrize("route", ROUTES)
def test_a_phone_scrolls_in_one_direction_only(browser: Browser, site: Site, route: str) -> None:
    context = browser.new_context(base_url=site.url, viewport={"width": 390, "height": 844}, device_scale_factor=2)
    page = context.new_page()
    page.goto(route)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    context.close()


def test_the_wall_fits_its_screen_and_is_read_from_four_metres(page: Page) -> None:
    page.set_viewport_size({"width": 1920, "height": 1080})
    page.goto("/wall")
    assert page.evaluate("document.documentElement.scrollWidth") == 1920
    assert page.evaluate("document.querySelector('.wall-columns').getBoundingClientRect().top") < 620
    sizes = page.evaluate(
        "[...document.querySelectorAll('.tile-figure, .standing .word')].map(e => parseFloat(getComputedStyle(e).fontSize))"
    )
    # A letter is legible from four metres at about 16 mm: 44 px on a screen of 43 inches.
    assert min(sizes) >= 44


def test_a_page_is_renewed_by_itself_and_keeps_what_the_reader_has_focused(page: Page, site: Site) -> None:
    page.clock.install()
    page.goto("/")
    link = page.locator(f'a[href="/cases/{THEFT}"]')
    link.focus()
    before = page.locator(".fuse").get_attribute("id")
    site.desk.health.problem("books", "prices", "the file cannot be read")
    site.refresh()
    with page.expect_response(lambda response: response.request.headers.get("hx-request") == "true"):
        page.clock.run_for(5_100)
    expect(page.get_by_text("the file cannot be read")).to_be_visible()
    expect(link).to_be_focused()
    assert before is not None
    site.desk.health.solved("books", "prices")
    site.refresh()


def test_without_an_answer_the_page_says_that_its_figures_are_old(browser: Browser, tmp_path: Path) -> None:
    with serve(tmp_path, calm) as site:
        context = browser.new_context(base_url=site.url)
        page = context.new_page()
        page.clock.install()
        page.goto("/")
        expect(page.get_by_role("alert")).to_be_hidden()
        site.stop()
        page.clock.run_for(16_000)
        expect(page.get_by_role("alert")).to_contain_text("These figures are old.")
        expect(page.get_by_role("alert")).to_contain_text("16 s ago")
        assert page.evaluate("getComputedStyle(document.querySelector('.standing')).opacity") == "0.55"
        context.close()


def test_the_warning_needs_no_script_at_all(browser: Browser, site: Site) -> None:
    context = browser.new_context(base_url=site.url, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"/cases/{THEFT}")
    fuse = page.locator(".fuse")
    expect(fuse).to_be_hidden()
    session = context.new_cdp_session(page)
    session.send("Animation.enable")
    # Twenty seconds pass for the style sheet alone.
    session.send("Animation.setPlaybackRate", {"playbackRate": 100})
    expect(fuse).to_be_visible()
    context.close()


def test_the_reader_chooses_language_and_theme_and_both_are_kept(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="日本語").click()
    expect(page.locator("html")).to_have_attribute("lang", "ja")
    page.get_by_role("link", name="ダーク").click()
    page.goto("/wallets")
    expect(page.locator("html")).to_have_attribute("lang", "ja")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(9, 13, 18)"
