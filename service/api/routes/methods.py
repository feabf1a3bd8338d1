"""`GET /methods`: the attribution methods with their parameters and papers."""

from fastapi import APIRouter

from service.api.catalog_schemas import MethodAnswer
from service.attribution import METHODS, Method

router = APIRouter(prefix="/methods", tags=["photographs"])


@router.get("")
async def list_methods() -> list[MethodAnswer]:
    """All attribution methods of `/saliency`."""
    return [_answer(method) for method in METHODS.values()]


def _answer(method: Method) -> MethodAnswer:
    return MethodAnswer(
        name=method.name,
        family=method.family,
        summary=method.summary,
        when=method.when,
        paper=method.paper,
        warning=method.warning,
        sign=method.sign,
        needs=method.needs,
        evaluations=method.parameters().runs_needed(224, 224),
        parameters=method.parameters.model_json_schema().get("properties", {}),
    )
