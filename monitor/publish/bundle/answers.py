"""What a person chose when a report was made: everything in it that no other evidence says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError

from chains.core.settings import Strict

_Text = Annotated[str, Field(min_length=1, max_length=400)]
_Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


def _time(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("has no offset")
    return text


_Time = Annotated[str, Field(max_length=40), AfterValidator(_time)]


class _Approval(Strict):
    by: _Text
    at: _Time
    draft: _Hash


class _Answers(Strict):
    version: Literal[1]
    cycle: Annotated[int, Field(ge=1)]
    begin: _Time
    lei: _Text | None
    registration: _Text | None
    prepared_by: _Text
    prepared_at: _Time
    preset: Literal["full", "daily", "jp-quarterly"]
    view: Literal["full", "regulator", "auditor", "trustee"]
    languages: Annotated[list[Literal["ja", "en"]], Field(max_length=2)]
    profiles: Annotated[list[_Text], Field(max_length=100)] | None
    finality: dict[str, _Text]
    software: _Text
    previous: _Hash | None
    approval: _Approval | None


@dataclass(frozen=True, slots=True)
class Approval:
    """The second person, when, and the hash of the draft (of its manifest) that was approved."""

    by: str
    at: str
    draft: str


@dataclass(frozen=True, slots=True)
class Answers:
    """``cycle``: of the close; ``begin``: of the period; ``profiles``: shown, None for all that were judged.

    ``finality``: by chain, the rule as people read it; ``previous``: hash of the report before; ``approval`` None:
    a draft. Times are RFC 3339.
    """

    cycle: int
    begin: str
    lei: str | None
    registration: str | None
    prepared_by: str
    prepared_at: str
    preset: str
    view: str
    languages: tuple[str, ...]
    profiles: tuple[str, ...] | None
    finality: Mapping[str, str]
    software: str
    previous: str | None
    approval: Approval | None = None

    def to_json(self) -> dict[str, Any]:
        """The object of answers.json."""
        body = {**asdict(self), "version": 1, "languages": list(self.languages), "finality": dict(self.finality)}
        return {**body, "profiles": None if self.profiles is None else list(self.profiles)}


def answers_from_json(body: Any) -> Answers:
    """The inverse, for hostile JSON. Raises ValueError."""
    try:
        found = _Answers.model_validate(body)
    except ValidationError as error:
        one = error.errors(include_url=False, include_context=False)[0]
        raise ValueError(f"{'.'.join(map(str, one['loc'])) or 'the document'}: {one['msg']}") from error
    plain = found.model_dump(exclude={"version"})
    approval = plain.pop("approval")
    return Answers(
        **{
            **plain,
            "languages": tuple(found.languages),
            "profiles": None if found.profiles is None else tuple(found.profiles),
        },
        approval=None if approval is None else Approval(**approval),
    )
