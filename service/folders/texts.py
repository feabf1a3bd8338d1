"""Names of files as text."""

import os


def text_of(name: str) -> str:
    """The name of a file as text that can be written down: bytes that are no UTF-8 as escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def shown(text: str) -> str:
    """Text for a terminal or a page: what cannot be printed, such as a new line, as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
