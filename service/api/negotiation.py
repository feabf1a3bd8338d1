"""Choosing a representation by the Accept header."""

import mimeparse
from fastapi import Request

from service.errors import NotAcceptable

JSON = "application/json"
PNG = "image/png"
WEBP = "image/webp"
JPEG = "image/jpeg"
PICTURES = (PNG, WEBP, JPEG)
NPY = "application/x-npy"
MAX_ACCEPT = 2000  # characters


def negotiate(request: Request, *offered: str) -> str:
    """The best of the offered media types for the request; the first one where the client does not mind.

    Raises `NotAcceptable`.
    """
    accept = (request.headers.get("accept") or "*/*").lower()  # media types are written in any case (RFC 9110, 8.3.1)
    if len(accept) > MAX_ACCEPT:
        raise NotAcceptable(f"the header Accept has {len(accept):,} characters; ask for one of: {', '.join(offered)}")
    try:
        best: str = mimeparse.best_match(offered[::-1], accept)
    except mimeparse.MimeTypeParseException:
        best = ""
    if not best:
        raise NotAcceptable(f"cannot answer as {accept}; ask for one of: {', '.join(offered)}")
    return best


def is_known(etag: str, if_none_match: str | None) -> bool:
    """Whether the header If-None-Match names the tag: a list of tags, weak or not, or ``*`` (RFC 9110, 13.1.2)."""
    tags = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return etag in tags or tags == ["*"]
