"""Choosing a representation by the Accept header."""

import mimeparse
from fastapi import Request

from service.errors import NotAcceptable

JSON = "application/json"
PNG = "image/png"
NPY = "application/x-npy"


def negotiate(request: Request, *offered: str) -> str:
    """The best of the offered media types for the request; the first one where the client does not mind.

    Raises `NotAcceptable`.
    """
    accept = request.headers.get("accept") or "*/*"
    try:
        best: str = mimeparse.best_match(offered[::-1], accept)
    except mimeparse.MimeTypeParseException:
        best = ""
    if not best:
        raise NotAcceptable(f"cannot answer as {accept}; ask for one of: {', '.join(offered)}")
    return best
