"""Plots of evaluations. This is the only module that imports matplotlib."""

import io

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from service.saliency.evaluation import Evaluated

COLOURS = ("#d1495b", "#8d99ae", "#2a9d8f")


def evaluation_plot(found: Evaluated, title: str) -> bytes:
    """A PNG that shows deletion, insertion and randomization side by side."""
    figure = Figure(figsize=(12, 4), layout="constrained")
    FigureCanvasAgg(figure)
    deletion, insertion, randomization = figure.subplots(1, 3)
    for colour, (name, curves) in zip(COLOURS, found.curves.items(), strict=True):
        deletion.plot(curves.fractions, curves.deletion, color=colour, label=f"{name}: {curves.deletion_area:.3f}")
        insertion.plot(curves.fractions, curves.insertion, color=colour, label=f"{name}: {curves.insertion_area:.3f}")
    for axes, text in ((deletion, "Deletion: less is better"), (insertion, "Insertion: more is better")):
        axes.set(title=text, xlabel="share of the pixels, hottest first", ylabel="probability", ylim=(0, 1.02))
        axes.legend(title="area", loc="best")
    randomization.set(
        title="Randomized weights: less is better",
        xlabel="random from the end up to",
        ylabel="rank correlation",
        ylim=(-0.3, 1.02),
    )
    if found.stages:
        places = range(len(found.stages))
        randomization.plot(places, [stage.similarity for stage in found.stages], "o-", color=COLOURS[0])
        randomization.set_xticks(
            list(places), [stage.first for stage in found.stages], rotation=35, ha="right", fontsize=8
        )
    figure.suptitle(title)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return buffer.getvalue()
