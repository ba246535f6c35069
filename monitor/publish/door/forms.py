"""Forms of the console without JavaScript, and the token that shows that porwatch itself made the form.

Basic authentication and certificates are sent by a browser whatever page asks for it, so a form carries a
token that another page cannot know: an HMAC of the caller under a key of this process alone. A token is
good for its caller until porwatch ends.
"""

from __future__ import annotations

import hmac
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

from monitor.publish.body import read_body
from monitor.publish.door.caller import caller
from monitor.publish.door.door import Door

#: the field of a form that holds the token
CSRF_FIELD = "csrf_token"
_MOST_FIELDS = 100


def csrf_token(request: Request) -> str:
    """The token for forms on the answer to this request, in hex."""
    who = caller(request)
    door: Door = request.app.state.door
    return hmac.new(door.secret, f"{who.how}\0{who.name}".encode(), "sha256").hexdigest()


def check_csrf(request: Request, token: str) -> None:
    """Raises HTTPException 403 for a token that was not made for this caller."""
    if not hmac.compare_digest(csrf_token(request).encode(), token.encode()):
        raise HTTPException(403, "this form is too old, or not from here: load the page again")


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a posted form (application/x-www-form-urlencoded, UTF-8), its token checked and taken out.

    Raises HTTPException 400 for what is no form, a field that comes twice or too many of them; 403 for a bad token.
    """
    body = await read_body(request.stream())
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS, separator="&"
        )
    except ValueError as error:
        raise HTTPException(400, "the body is no form that can be used") from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise HTTPException(400, "a field of the form comes twice")
    check_csrf(request, fields.pop(CSRF_FIELD, ""))
    return fields
