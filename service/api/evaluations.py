"""Evaluations turned into response bodies."""

from dataclasses import asdict

from service.api.evaluation_schemas import (
    ComparedMethod,
    ComparedMetric,
    ComparedPhotograph,
    ComparisonResult,
    Completeness,
    CurveAnswer,
    EvaluationResult,
    MeasuredAnswer,
    RandomizationStage,
)
from service.api.responses import class_of
from service.networks.network import Network
from service.saliency.comparison import READING, Comparison, Findings
from service.saliency.evaluation import Evaluated
from service.saliency.explain import warning_of
from service.saliency.metrics import METRICS, Measured


def evaluation_result(network: Network, found: Evaluated) -> EvaluationResult:
    """An evaluation as JSON."""
    return EvaluationResult(
        class_id=found.class_id,
        name=None if found.class_id is None else network.model.manifest.labels[found.class_id],
        curves=_curves(found),
        completeness=Completeness(map_sum=found.map_sum, score_difference=found.score_difference),
        randomization=[RandomizationStage(**asdict(stage)) for stage in found.stages],
        metrics={
            name: {who: MeasuredAnswer(**asdict(each)) for who, each in of_maps.items()}
            for name, of_maps in found.measurements.items()
        },
        notes=found.notes,
    )


def _curves(found: Evaluated) -> dict[str, CurveAnswer]:
    """Deletion and insertion of each map, if both were measured."""
    deletion, insertion = (found.measurements.get(name) for name in ("deletion", "insertion"))
    if deletion is None or insertion is None:
        return {}
    return {who: _curve(deletion[who], insertion[who]) for who in deletion}


def _curve(deletion: Measured, insertion: Measured) -> CurveAnswer:
    return CurveAnswer(
        fractions=list(deletion.at),
        deletion=list(deletion.series),
        insertion=list(insertion.series),
        deletion_area=deletion.value,
        insertion_area=insertion.value,
    )


def comparison_result(network: Network, found: Comparison) -> ComparisonResult:
    """A comparison as JSON."""
    means, ranks, mean_ranks = found.means, found.ranks, found.mean_ranks
    return ComparisonResult(
        reading=READING,
        methods=[
            ComparedMethod(
                name=name,
                mean_rank=mean_ranks[name],
                runs=found.runs[name],
                seconds=round(found.seconds[name], 4),
                warning=warning_of(network, name),
            )
            for name in sorted(found.methods, key=lambda name: mean_ranks[name])
        ],
        metrics=[
            ComparedMetric(
                name=name,
                better=METRICS[name].better,
                limits=METRICS[name].limits,
                values=values,
                ranks=ranks[name],
            )
            for name, values in means.items()
        ],
        photographs=[_photograph(network, i, findings) for i, findings in enumerate(found.findings)],
    )


def _photograph(network: Network, image: int, findings: Findings) -> ComparedPhotograph:
    return ComparedPhotograph(
        **class_of(network, findings.class_id, findings.probabilities),
        image=image,
        metrics={
            name: {who: measured.value for who, measured in of_maps.items()}
            for name, of_maps in findings.measurements.items()
        },
    )
