"""Plots of evaluations and comparisons. This is the only module that imports matplotlib."""

import io
from collections.abc import Collection, Mapping, Sequence
from textwrap import fill

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from service.attribution.tcav import Tcav
from service.pictures.decode import Pixels
from service.saliency.comparison import Comparison
from service.saliency.evaluation import Evaluated
from service.saliency.metrics import BASELINES, METRICS, Measured

COLOURS = ("#d1495b", "#8d99ae", "#2a9d8f")
COLUMNS = 3  # of series in one row
ROW = 0.28  # inches, of a table
TILE, FIRST, GAP = 1.6, 1.9, 0.06  # inches, of a picture, of the first column, and between pictures
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
    return _png(figure)


def _draw_series(axes: Axes, name: str, of_maps: Mapping[str, Measured]) -> None:
    """The series of a metric, a line for each map."""
    for colour, (who, measured) in zip(COLOURS, of_maps.items(), strict=False):
        shares = all(isinstance(place, float) for place in measured.at)
        places = measured.at if shares else range(len(measured.at))
        axes.plot(places, measured.series, "-" if shares else "o-", color=colour, label=f"{who}: {_text(measured)}")
    axes.set_title(f"{_words(name)}\n{METRICS[name].better} is better", fontsize=11)
    if all(abs(value) <= 1 for measured in of_maps.values() for value in measured.series):  # scores may be larger
        axes.set(ylim=(0 if shares else -0.3, 1.02))
    axes.set(ylabel="probability" if shares else "rank correlation")
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


def comparison_plot(found: Comparison, names: Sequence[str]) -> bytes:
    """A PNG: a row for each photograph with the maps over it, and below them a table of all numbers.

    names: of the classes that were explained, one for each photograph. The best of each metric is bold.
    """
    columns = ["", *found.methods, *BASELINES]
    shapes = [findings.pictures[""].shape for findings in found.findings]
    heights = [(TILE - GAP) * min(1.0, max(0.4, height / width)) + GAP for height, width, _ in shapes]
    lines = _lines(found)
    sheet = _Sheet(columns, 2 * ROW + sum(heights) + ROW * (len(lines) + 0.5))
    sheet.write(ROW, [fill(_words(who), 18) for who in columns], ())
    lower = 2 * ROW
    for findings, name, height in zip(found.findings, names, heights, strict=True):
        sheet.draw(lower, height, findings.pictures, fill(name, 24))
        lower += height
    for texts, best in lines:
        lower += ROW
        sheet.write(lower, texts, best)
    return _png(sheet.figure)


def _lines(found: Comparison) -> list[tuple[list[str], list[str]]]:
    """The lines of the table: the texts of all columns, and the methods that are best."""
    lines = []
    for metric, values in found.means.items():
        arrow = "↑" if METRICS[metric].better == "larger" else "↓"
        numbers = [_number(values[who]) if who in values else "" for who in (*found.methods, *BASELINES)]
        lines.append(([f"{_words(metric)} {arrow}", *numbers], _best(found.ranks[metric])))
    nothing = ["" for _ in BASELINES]
    numbers = [f"{found.mean_ranks[who]:.2f}" for who in found.methods]
    lines.append((["mean rank ↓", *numbers, *nothing], _best(found.mean_ranks)))
    lines.append((["runs", *(f"{found.runs[who]}" for who in found.methods), *nothing], []))
    lines.append((["seconds", *(f"{found.seconds[who]:.3f}" for who in found.methods), *nothing], []))
    return lines


class _Sheet:
    """A figure with columns, of which the first is wider, on which lengths are inches from the top."""

    def __init__(self, columns: Sequence[str], height: float) -> None:
        self._columns, self._height = columns, height
        self._width = FIRST + TILE * (len(columns) - 1)
        self.figure = Figure(figsize=(self._width, height))
        FigureCanvasAgg(self.figure)

    def write(self, middle: float, texts: Sequence[str], bold: Collection[str]) -> None:
        """A line of text in all columns."""
        for i, (who, text) in enumerate(zip(self._columns, texts, strict=True)):
            x, side = (self._left(i) + (TILE - GAP) / 2, "center") if i else (GAP, "left")
            weight, colour = "bold" if who in bold else "normal", "#777777" if who in BASELINES else "black"
            y = 1 - middle / self._height
            self.figure.text(x / self._width, y, text, ha=side, va="center", fontsize=9, weight=weight, color=colour)

    def draw(self, upper: float, height: float, pictures: Mapping[str, Pixels], title: str) -> None:
        """A row of pictures, the first with a title."""
        for i, who in enumerate(self._columns):
            left, lower = self._left(i) / self._width, 1 - (upper + height - GAP) / self._height
            place = (left, lower, (TILE - GAP) / self._width, (height - GAP) / self._height)
            axes = self.figure.add_axes(place)
            axes.set_axis_off()
            axes.imshow(pictures[who], aspect="equal")
            if not i:
                axes.set_title(title, y=0, fontsize=8, color="white", backgroundcolor="#00000080")

    def _left(self, column: int) -> float:
        return GAP if column == 0 else FIRST + TILE * (column - 1)


def _best(ranks: Mapping[str, float]) -> list[str]:
    return [who for who, rank in ranks.items() if rank == min(ranks.values())]


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()


def concept_plot(found: Tcav, title: str) -> bytes:
    """A PNG that shows the scores of a concept beside those of random pictures, and the sensitivity of each picture."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    FigureCanvasAgg(figure)
    scores, sensitivities = figure.subplots(1, 2)
    both = {"concept": found.scores, "random": found.random_scores}
    for i, values in enumerate(both.values()):
        mean = float(values.mean())
        scores.bar(i, mean, color=COLOURS[2 - i], width=0.6)
        scores.errorbar(i, mean, float(values.std(ddof=1)), color="black", capsize=6)
    scores.axhline(0.5, color="black", linewidth=0.8, linestyle=":")
    scores.set(title=f"TCAV score, p = {found.p_value:.2g}", ylim=(-0.05, 1.12), ylabel="share of the photographs")
    scores.set_xticks([0, 1], [f"{name}: {values.mean():.2f}" for name, values in both.items()])
    places = range(1, len(found.sensitivities) + 1)
    signs = [COLOURS[2] if value > 0 else COLOURS[0] for value in found.sensitivities]
    sensitivities.bar(places, found.sensitivities, color=signs)
    sensitivities.axhline(0, color="black", linewidth=0.8)
    sensitivities.set(title="Towards the concept the score grows by", xlabel="photograph")
    figure.suptitle(title)
    return _png(figure)


def _text(measured: Measured) -> str:
    return _number(measured.value)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _words(name: str) -> str:
    return name.replace("_", " ")
