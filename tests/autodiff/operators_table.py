"""The table of docs/operators.md. ``python -m tests.autodiff.operators_table`` writes it."""

from collections import Counter
from pathlib import Path

import onnx

from service.autodiff import NO_GRADIENT, RULES
from service.autodiff.coverage import LIMITS, NO_GRADIENT_BECAUSE, UNSUPPORTED
from service.autodiff.lowering import LOWERINGS

PLACE = Path(__file__).parents[2] / "docs" / "operators.md"
NEWEST = 26  # operators of later opsets are not in the table
HEAD = """# Operators

What happens to each operator of the ONNX standard, up to opset {newest}, when a gradient has to pass it. The table is
written by `python -m tests.autodiff.operators_table`; a test compares it with the code.

- **rule**: its vector-Jacobian product is appended to the graph.
- **written out**: it is replaced by simpler operators that have rules. Outside the limits in the remark it is refused.
- **function**: the standard defines it as a function of simpler operators, which takes its place.
- **no gradient**: its output does not change, or only in jumps, when its input moves a little. Nothing flows back.
- **not supported**: a model with such an operator between image and score is refused, and all such nodes are named.

| operator | since opset | treated by | remark |
| --- | --- | --- | --- |
"""


def operators() -> dict[str, int]:
    """The operators of the installed standard up to `NEWEST`, with the opset that introduced each."""
    first: dict[str, int] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "":
            first[schema.name] = min(schema.since_version, first.get(schema.name, schema.since_version))
    return {name: since for name, since in sorted(first.items()) if since <= NEWEST}


def treatment(op_type: str) -> str:
    """How an operator is treated. Raises `KeyError` for one that nothing is known of."""
    if op_type in RULES:
        return "rule"
    if op_type in NO_GRADIENT:
        return "no gradient"
    if op_type in UNSUPPORTED:
        return "not supported"
    if op_type in LOWERINGS or op_type in LIMITS:
        return "written out"
    schema = onnx.defs.get_schema(op_type)
    if schema.has_function or schema.has_context_dependent_function:  # type: ignore[attr-defined] # not in the stubs
        return "function"
    raise KeyError(op_type)


def row(op_type: str, since: int) -> str:
    """The line of an operator."""
    remark = NO_GRADIENT_BECAUSE.get(op_type) or UNSUPPORTED.get(op_type) or LIMITS.get(op_type, "")
    return f"| `{op_type}` | {since} | {treatment(op_type)} | {remark} |"


def table() -> str:
    """The whole document."""
    rows = [row(op_type, since) for op_type, since in operators().items()]
    counts = Counter(treatment(op_type) for op_type in operators())
    summary = ", ".join(f"{count} {name}" for name, count in counts.most_common())
    return HEAD.format(newest=NEWEST) + "\n".join(rows) + f"\n\n{len(rows)} operators: {summary}.\n"


if __name__ == "__main__":
    PLACE.write_text(table())
