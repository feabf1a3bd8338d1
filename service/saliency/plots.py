"""Plots of evaluations. This is the only module that imports matplotlib."""

import io

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from service.attribution.tcav import Tcav
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
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return buffer.getvalue()
