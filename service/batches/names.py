"""What is where in the store of a batch."""


def part_name(batch: str, token: str) -> str:
    """What was uploaded as a part."""
    return f"{batch}/parts/{token}"


def list_name(batch: str, token: str) -> str:
    """The items of a part: JSON lines."""
    return f"{batch}/parts/{token}.items"


def items_name(batch: str) -> str:
    """The items of all parts: JSON lines."""
    return f"{batch}/items/list"


def offsets_name(batch: str) -> str:
    """Where each chunk begins among the items: numbers of 8 bytes, and one more for the end."""
    return f"{batch}/items/offsets"


def directory_name(batch: str) -> str:
    """Which item has which name; see `service.batches.directory`."""
    return f"{batch}/items/names"


def lines_name(attempt: str) -> str:
    """The index of a chunk, among what an attempt at it made: JSON lines."""
    return f"{attempt}.jsonl"


def files_name(attempt: str) -> str:
    """The maps and overlays of a chunk, among what an attempt at it made: a zip."""
    return f"{attempt}.zip"
