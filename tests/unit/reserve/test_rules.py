from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from monitor.reserve import Accrual, Clamp, Risk, Tiers, Weights
from tests.unit.reserve.regimes import INSURANCE, JAPAN, D


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Clamp(D(3), D(2)), "cap: 2 is below the floor of 3"),
        (lambda: Clamp(2.0, None), "floor: 2.0 is not a decimal"),  # type: ignore[arg-type]
        (lambda: Tiers(()), "first threshold must be 0"),
        (lambda: Tiers(((D(1), D(1)),)), "first threshold must be 0"),
        (lambda: Tiers(((D(0), D(2)), (D(0), D(3)))), "tiers[1]: thresholds must rise"),
        (lambda: Tiers(((D(0), D(2)), (D(1), D(1)))), "tiers[1]: thresholds must rise and amounts must not fall"),
        (lambda: Weights(D("-0.1"), D(1), D(1), D(1)), "weights.cold"),
        (lambda: Accrual(0, "net", with_risk_factor=True, floor_years=None), "accrual.years: 0"),
        (lambda: Accrual(4, "gross", with_risk_factor=True, floor_years=None), "write required or net"),  # type: ignore[arg-type]
        (lambda: replace(INSURANCE, most=D("1.1")), "insurance.most: 1.1 is more than the whole"),
        (lambda: replace(INSURANCE, min_days_to_expiry=True), "insurance.min_days_to_expiry: True"),
        (lambda: replace(INSURANCE, rating_factors={"AA": D(2)}), "insurance.rating_factors.AA"),
        (lambda: replace(JAPAN, rates={"spot": D(2)}), "rates.spot"),
        (lambda: replace(JAPAN, peak_years=0), "peak_years: 0"),
        (lambda: replace(JAPAN, risk_additions={Risk.INCIDENTS: D(-1)}), "risk_additions.incidents_in_three_years"),
        (lambda: replace(JAPAN, risk_most=D("2.1")), "risk_most: 2.1 is outside 1 to 2"),
        (lambda: replace(JAPAN, fund=replace(JAPAN.fund, bond_haircut=D(2))), "fund.bond_haircut"),
        (
            lambda: replace(
                JAPAN,
                amount=Tiers(((D(0), D(1)),)),
                accrual=Accrual(4, "net", with_risk_factor=True, floor_years=4),
            ),
            "accrual.floor_years belongs to a floor",
        ),
    ],
)
def test_a_parameter_that_cannot_be_meant_is_refused_by_name(make: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        make()
    assert message in str(caught.value)
