"""The form of every answer, as the OpenAPI document shows it. Fields that do not apply are null, never absent."""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

T = TypeVar("T")


class Shape(BaseModel):
    """No field more, none less."""

    model_config = ConfigDict(extra="forbid")


class Answer(Shape, Generic[T]):
    """The envelope."""

    status: Literal["success"]
    data: T


def answer(data: Any, status: int = 200) -> JSONResponse:
    """``data`` in the envelope."""
    return JSONResponse({"status": "success", "data": data}, status)
