"""Plots of evaluations. This is the only module that imports matplotlib."""

import io
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from service.saliency.evaluation import Evaluated
from service.saliency.metrics import METRICS, Measured

COLOURS = ("#d1495b", "#8d99ae", "#2a9d8f")
COLUMNS = 3  # of series in one row
ROW = 0.28  # inches, of a table
DPI = 90


def evaluation_plot(found: Evaluated, title: str) -> bytes:
    """A PNG with the series of the metrics, and below them a table of all numbers."""
    of_method = {name: of_maps[found.method] for name, of_maps in found.measurements.items()}
    series = [name for name, measured in of_method.items() if measured.at and measured.series]
    rows = -(-len(series) // COLUMNS)
    below = ROW * (len(found.measurements) + 2)
    figure = Figure(figsize=(12, 4 * rows + below), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(rows + 1, COLUMNS, height_ratios=[4.0] * rows + [below])
    for i, name in enumerate(series):
        _draw_series(figure.add_subplot(grid[i // COLUMNS, i % COLUMNS]), name, found.measurements[name])
    _draw_table(figure.add_subplot(grid[rows, :]), found)
    figure.suptitle(title)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()


def _draw_series(axes: Axes, name: str, of_maps: Mapping[str, Measured]) -> None:
    """The series of a metric, a line for each map."""
    for colour, (who, measured) in zip(COLOURS, of_maps.items(), strict=False):
        shares = all(isinstance(place, float) for place in measured.at)
        places = measured.at if shares else range(len(measured.at))
        axes.plot(places, measured.series, "-" if shares else "o-", color=colour, label=f"{who}: {_text(measured)}")
    axes.set_title(f"{_words(name)}\n{METRICS[name].better} is better", fontsize=11)
    axes.set(ylim=(0 if shares else -0.3, 1.02), ylabel="probability" if shares else "rank correlation")
    axes.set(xlabel="share of the pixels" if shares else "random layer, or first of them")
    if not shares:
        axes.set_xticks(range(len(measured.at)), map(str, measured.at), rotation=35, ha="right", fontsize=8)
    axes.legend(loc="best")


def _draw_table(axes: Axes, found: Evaluated) -> None:
    """All metrics, a row each."""
    maps: Sequence[str] = list(next(iter(found.measurements.values())))
    for of_maps in found.measurements.values():
        maps = max(maps, list(of_maps), key=len)
    cells = [
        [_words(name), *(_text(of_maps[who]) if who in of_maps else "" for who in maps), METRICS[name].better]
        for name, of_maps in found.measurements.items()
    ]
    draw_table(axes, ["", *maps, "better"], cells)


def draw_table(axes: Axes, head: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    """A table that fills the axes; the first column is as wide as two others."""
    axes.set_axis_off()
    width = 1 / (len(head) + 1)
    widths = [2 * width] + [width] * (len(head) - 1)
    table = axes.table(cells, colLabels=head, colWidths=widths, loc="center", bbox=Bbox.unit(), cellLoc="center")
    table.auto_set_font_size(value=False)
    table.set_fontsize(10)
    for (row, column), cell in table.get_celld().items():
        cell.visible_edges = "B" if row == 0 else "open"
        if column == 0:
            cell.set_text_props(ha="left")


def _text(measured: Measured) -> str:
    return "–" if measured.value is None else f"{measured.value:.3f}"


def _words(name: str) -> str:
    return name.replace("_", " ")
