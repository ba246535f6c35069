"""Who calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from monitor.publish.roles import Role

#: by what somebody showed who he is; "none": nobody can log in here
How = Literal["none", "password", "certificate", "proxy"]


@dataclass(frozen=True, slots=True)
class Caller:
    """``name``: as it is logged and recorded; "" where nobody is asked. ``client``: the address of the connection."""

    name: str
    role: Role | None
    how: How
    client: str = ""


def caller(request: HTTPConnection) -> Caller:
    """Who sent a request, as the gate found out."""
    found = getattr(request.state, "caller", None)
    assert isinstance(found, Caller), "a request reached a route around the gate"
    return found


def acting_name(request: HTTPConnection, given: object) -> str:
    """In whose name a change is recorded: whoever logged in.

    ``given``: the name in the body, None where it holds none; it must be the same. Where nobody can log in, it
    is what counts, and None is a mistake. Raises HTTPException.
    """
    who = caller(request)
    if who.how == "none":
        if given is None:
            raise HTTPException(400, "name is missing: nobody logs in here, so write who does it")
        return str(given)
    if given is not None and str(given).strip() != who.name:
        raise HTTPException(403, f"you are logged in as {who.name}: write that name, or leave it out")
    return who.name
