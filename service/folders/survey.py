"""What the index says as a whole, and what of it a report shows."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from service.folders.index import Index, Record

MOST_ERRORS, MOST_SHOWN = 100, 48


@dataclass
class Survey:
    """What the index says of all results.

    Attributes:
        methods: The methods that are looked at.
        explained: How many photographs were explained, by method.
        errors: The first of what has failed.
        failed: How many photographs have failed.
        classes: How often each class was explained with the first method.
        chosen: The photographs that are shown, spread evenly over all: their records by name.
    """

    methods: Sequence[str]
    explained: Counter[str] = field(default_factory=Counter)
    errors: list[Record] = field(default_factory=list)
    failed: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    chosen: dict[str, list[Record]] = field(default_factory=dict)

    @property
    def photographs(self) -> int:
        """How many were explained."""
        return max(self.explained.values(), default=0)

    def add_error(self, record: Record) -> None:
        """Take note of a failure, once if a photograph fails in the same way for all methods."""
        is_known = any(
            (one["item"], one["error"]) == (record["item"], record["error"])
            for one in self.errors[-len(self.methods) :]
        )
        if len(self.errors) < MOST_ERRORS and not is_known:
            self.errors.append(record)


def survey(index: Index, methods: Sequence[str], failed: set[str]) -> Survey:
    """Look through the results. failed: the photographs whose errors count; those of others may be outdated."""
    found = Survey(methods, failed=len(failed))
    for record in index.records():
        if "error" in record:
            if record["method"] in methods and record["item"] in failed:
                found.add_error(record)
        elif record["method"] in methods:
            found.explained[record["method"]] += 1
            if record["method"] == methods[0] and record.get("class_name") is not None:
                found.classes[record["class_name"]] += 1
    total = found.explained.total()
    chosen = {
        record["item"]
        for number, record in enumerate(_explained(index, methods))
        if number * MOST_SHOWN // max(total, MOST_SHOWN) > (number - 1) * MOST_SHOWN // max(total, MOST_SHOWN)
    }
    for record in _explained(index, methods):
        if record["item"] in chosen:
            found.chosen.setdefault(record["item"], []).append(record)
    return found


def _explained(index: Index, methods: Sequence[str]) -> Iterator[Record]:
    return (record for record in index.records() if "error" not in record and record["method"] in methods)
