"""Evaluations turned into response bodies."""

from dataclasses import asdict

from service.api.evaluation_schemas import (
    Completeness,
    CurveAnswer,
    EvaluationResult,
    MeasuredAnswer,
    RandomizationStage,
)
from service.networks.network import Network
from service.saliency.evaluation import Evaluated
from service.saliency.metrics import Measured


def evaluation_result(network: Network, found: Evaluated) -> EvaluationResult:
    """An evaluation as JSON."""
    return EvaluationResult(
        class_id=found.class_id,
        name=network.model.manifest.labels[found.class_id],
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
