"""What the OpenAPI document says is what the interface answers, for requests that fit it and for such that do not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from monitor.assess import verdict
from monitor.ledger.encode import approval_to_json
from monitor.ledger.journal import Record
from monitor.ledger.store import Commit
from monitor.model import Approval, rfc3339
from tests.real.web_site import LOOPBACK, Site
from tests.unit.publish.bundle.made import closing
from tests.unit.publish.samples import NOW, THIEF, Store, numbered

CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance]
APPROVAL = Approval("w-1", "ethereum", "USDT", 1, THIEF, None, None, None, NOW, None, None, None, "00")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("openapi"), {})
    site.health.identified.update(bitcoin=True, ethereum=True)
    site.health.following.update(bitcoin=True, ethereum=True)
    store = Store(site.ledger)
    store.put(*[numbered(number) for number in range(1, 4)])
    approval = Record("approval", {"approval": approval_to_json(APPROVAL), "first_read": rfc3339(NOW)})
    store.commit(Commit((Record("verdict", verdict(closing())), approval)))
    yield site
    site.close()


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fitting", "unfitting"])
def test_every_answer_has_the_form_that_the_document_promises(mode: GenerationMode, site: Site) -> None:
    base = f"http://{LOOPBACK}:{site.port}"
    schema = schemathesis.openapi.from_url(f"{base}/openapi.json")
    asked: dict[str, set[int]] = {}
    # Pages are no answers of the API: tests/real/test_console.py asks for them.
    operations = [found.ok() for found in schema.exclude(tag="console").get_all_operations()]
    for operation in operations:

        @seed(1)
        @settings(
            max_examples=5,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case: schemathesis.Case) -> None:
            response = case.call_and_validate(base_url=base, checks=CHECKS)
            asked.setdefault(operation.label, set()).add(response.status_code)  # noqa: B023  called at once

        # What takes nothing cannot be asked wrongly.
        with suppress(Unsatisfiable):
            check()
    assert len(asked) > 8
    if mode is GenerationMode.POSITIVE:
        assert len(asked) == len(operations)
        good = {label for label, statuses in asked.items() if statuses & {200, 201}}
        assert {"GET /api/v1/cases", "GET /api/v1/verdict", "GET /api/v1/approvals", "GET /metrics"} <= good
        assert "POST /api/v1/approvals" in good
