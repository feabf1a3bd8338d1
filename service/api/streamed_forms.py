"""Forms with one large file, which is read while it arrives and never held as a whole."""

from collections.abc import AsyncIterator

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.formparsers import MultiPartException

from service.api.forms import WholeForm
from service.errors import BrokenBody, InvalidParameter

MAX_FIELDS = 64
_EVENTS = (
    "part_begin",
    "part_data",
    "part_end",
    "header_field",
    "header_value",
    "header_end",
    "headers_finished",
    "end",
)


class StreamedForm(WholeForm):
    """A form whose file comes after all its fields.

    Attributes:
        name: The field of the file, once `fields` has come to it; None if there is no file.
    """

    name: str | None = None

    def __init__(self, request: Request) -> None:
        super().__init__(request.headers, request.stream(), max_files=1, max_fields=MAX_FIELDS)
        _, options = parse_options_header(request.headers["content-type"])
        if b"boundary" not in options:
            raise BrokenBody("the form cannot be read: its Content-Type names no boundary")
        self._charset = "utf-8"
        self._before: int | None = None
        callbacks = {f"on_{event}": getattr(self, f"on_{event}") for event in _EVENTS}
        self._parser = MultipartParser(options[b"boundary"], callbacks)  # type: ignore[arg-type]

    async def fields(self) -> dict[str, str | list[str]]:
        """The fields before the file. Raises `BrokenBody`."""
        while self.name is None and await self._feed():
            pass
        return self._texts(self._before)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The file. Raises `BrokenBody`, and `InvalidParameter` for fields that come after it."""
        while True:
            pieces, self._file_parts_to_write = self._file_parts_to_write, []
            for _, data in pieces:
                yield bytes(data)
            if not await self._feed():
                break
        for _, data in self._file_parts_to_write:
            yield bytes(data)
        if self._texts() != self._texts(self._before):
            raise InvalidParameter("the file comes last in the form: send the other fields before it")

    def on_headers_finished(self) -> None:
        """Notice where the file begins."""
        super().on_headers_finished()
        if self._current_part.file is not None:
            self.name, self._before = self._current_part.field_name, len(self.items)

    def _texts(self, first: int | None = None) -> dict[str, str | list[str]]:
        """The fields, or those among so many parts."""
        found: dict[str, list[str]] = {}
        for name, value in self.items[:first]:
            if isinstance(value, str) and value.strip():
                found.setdefault(name, []).append(value)
        return {name: values if len(values) > 1 else values[0] for name, values in found.items()}

    async def _feed(self) -> bool:
        """Take in some more of the body; whether there was more."""
        try:
            chunk = await anext(self.stream, None)
            if chunk is not None:
                self._parser.write(chunk)
                return True
            self._parser.finalize()
        except (MultiPartException, FormParserError) as error:
            raise BrokenBody(f"the form cannot be read: {getattr(error, 'message', None) or error}") from error
        finally:
            for file in self._files_to_close_on_error:
                file.close()  # nothing is written to it
        if not self.is_complete:
            raise BrokenBody("the form ends before its closing boundary: send it again, as a whole")
        return False
