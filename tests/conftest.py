"""What every test may ask for: test data from outside the checkout, test components, and a count of what was skipped."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from chains.lab.binaries import find_binary
from chains.lab.errors import LabError

CHECKOUT = Path(__file__).resolve().parent.parent
MISSING_COMPONENT = "missing component"
MISSING_DATA = "missing test data"


def pytest_configure() -> None:
    """No test is a timed one: a machine that has other work fails none."""
    settings.register_profile("porwatch", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("porwatch")


def component(name: str) -> Path:
    """The program `name`; skips the test when it is not here, or fails it when PORWATCH_REQUIRE_COMPONENTS is 1."""
    try:
        return find_binary(name)
    except LabError as error:
        if os.environ.get("PORWATCH_REQUIRE_COMPONENTS") == "1":
            pytest.fail(f"{MISSING_COMPONENT}: {error}")
        pytest.skip(f"{MISSING_COMPONENT}: {error}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("component"):
        for name in marker.args:
            component(name)


@pytest.fixture(scope="session")
def require_component() -> Callable[[str], Path]:
    """Gives the path of a program of the test components, or skips (fails in CI) with the command that gets it."""
    return component


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of third-party test data, which is not part of the checkout."""
    folder = Path(os.environ.get("PORWATCH_SHARED_DATA", CHECKOUT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"{MISSING_DATA}: {folder} is not there; name the folder in PORWATCH_SHARED_DATA")
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = terminalreporter.stats.get("skipped", [])
    reasons = [str(report.longrepr) for report in reports]
    for what in (MISSING_COMPONENT, MISSING_DATA):
        count = sum(what in reason for reason in reasons)
        terminalreporter.write_line(f"skipped for {what}: {count}")


class Scheduling(LoadScopeScheduling):
    """Tests that share nodes stay on one worker: a file, or the whole corpus, whose sums are taken at its end."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, _ = nodeid.partition("::")
        _, kind, *folders = PurePosixPath(file).parts
        if kind not in ("real", "contract"):
            return nodeid
        return str(PurePosixPath(file).parent) if "corpus" in folders else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    return Scheduling(config, log)
