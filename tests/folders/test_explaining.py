"""Questions about many photographs, as they are put to a network."""

from dataclasses import replace

import pytest

from service.attribution import METHODS
from service.cli.method_values import values_of
from service.errors import InvalidParameter
from service.folders.asked import Asked
from service.folders.explaining import check
from service.networks.network import Network

ASKED = Asked("squeezenet1_1", "", {"gradient": {}}, None, None, "squash", "exact", ("npy",), 64)
KNOWN = {name: method.parameters.model_fields for name, method in METHODS.items()}


def test_parameters_go_to_the_methods_that_take_them() -> None:
    given = ["samples=8", "rise.masks=500", "layer=fire3"]
    assert values_of(given, ["smoothgrad", "rise", "grad_cam"], KNOWN) == {
        "smoothgrad": {"samples": 8}, "rise": {"masks": 500}, "grad_cam": {"layer": "fire3"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "methods", "told"),
    [
        ([], ["magic"], "there is no method 'magic'; there are: gradient"),
        (["steps=3"], ["gradient"], "takes the parameter 'steps': gradient takes none"),
        (["rise.masks=3"], ["lime"], "takes the parameter 'rise.masks'"),
        (["steps"], ["gradient"], "NAME=VALUE"),
        (["=3"], ["gradient"], "NAME=VALUE"),
        (["rise.=3"], ["rise"], "NAME=VALUE"),
    ],
)
def test_parameters_that_nobody_takes_are_told(given: list[str], methods: list[str], told: str) -> None:
    with pytest.raises(InvalidParameter, match=told):
        values_of(given, methods, KNOWN)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"class_id": 1000}, "class_id must be from 0 to 999"),
        ({"target": "nonsense"}, "a target is a sum"),
        ({"target": "layer:nowhere[0]"}, "no layer 'nowhere'"),
        ({"methods": {"rise": {"masks": -3}}}, "masks of rise"),
        ({"methods": {"rise": {"masks": "many"}}}, "masks of rise"),
        ({"methods": {"grad_cam": {"layer": "nowhere"}}}, "no layer 'nowhere'"),
        ({"methods": {"finer_cam": {}}, "target": "log_odds:3"}, "finer_cam"),
    ],
)
def test_what_the_network_cannot_be_asked_is_told(network: Network, asked: dict[str, object], told: str) -> None:
    with pytest.raises(InvalidParameter, match=told):
        check(network, replace(ASKED, **asked))  # type: ignore[arg-type]
