"""Reading forms with files to their very end."""

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from service.errors import BrokenBody


async def parsed(request: Request, max_files: int, max_fields: int) -> FormData:
    """The form of a request. Raises `BrokenBody` if it is none, or if it ends before its closing boundary."""
    parser = WholeForm(request.headers, request.stream(), max_files=max_files, max_fields=max_fields)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise BrokenBody(f"the form cannot be read: {error.message}") from error
    if not parser.is_complete:
        await form.close()
        parser.close()
        raise BrokenBody("the form ends before its closing boundary: send it again, as a whole")
    return form


class WholeForm(MultiPartParser):
    """Starlette's parser, which takes what has arrived of a form for all of it.

    It also takes a part for text whose file name is given only in the encoded form, ``filename*`` (RFC 5987).
    """

    is_complete = False

    def close(self) -> None:
        """Close the files of parts that have begun."""
        for file in self._files_to_close_on_error:
            file.close()

    def on_end(self) -> None:
        """Notice the closing boundary."""
        self.is_complete = True
        super().on_end()

    def on_headers_finished(self) -> None:
        """Begin a part."""
        disposition = self._current_part.content_disposition
        _, options = parse_options_header(disposition)
        if disposition is not None and b"filename*" in disposition and b"filename" not in options:
            self._current_part.content_disposition = disposition + b'; filename="file"'
        super().on_headers_finished()
