"""Saliency maps of photographs by the real network."""

from typing import Any

import numpy as np
import onnx
import pytest

from service.attribution import METHODS
from service.errors import EngineError, InvalidParameter
from service.networks.network import Network
from service.networks.questions import PREDICTED
from service.pictures.decode import decode
from service.runtime.engine import Engine
from service.saliency.explain import Explanation, explain, question_of
from service.saliency.intake import fit
from service.telemetry.timing import Stopwatch


def ask(
    network: Network,
    photograph: bytes,
    method: str,
    class_id: int | None = None,
    other: int | None = None,
    **values: Any,
) -> Explanation:
    decoded = decode(photograph, 10**7)
    fitted = fit(network, decoded, "squash")
    return explain(network, decoded, fitted, question_of(network, method, values, class_id, other), Stopwatch())


def face_to_rest(saliency: Any) -> float:
    """The mean of the map over the cat's face, relative to the mean of the whole map."""
    return float(saliency[60:190, 60:190].mean() / saliency.mean())


SEEN_ON_THE_FACE = {
    "gradient": {},
    "smoothgrad": {"samples": 10},
    "vargrad": {"samples": 10},
    "guided_backprop": {},
    "deconvnet": {},
}
SEEN_ON_THE_FACE |= {
    "grad_cam": {},
    "grad_cam_plus_plus": {},
    "layer_cam": {},
    "guided_grad_cam": {},
    "rise": {"masks": 200},
}
SEEN_ON_THE_FACE |= {
    "integrated_gradients": {},
    "blur_integrated_gradients": {},
    "gradient_x_input": {},
    "occlusion": {"stride": 32},
}
SEEN_ON_THE_FACE |= {
    "deeplift": {},
    "deep_shap": {},
    "lrp": {},
    "lrp_zero": {},
    "lrp_epsilon": {},
    "lrp_gamma": {},
    "lrp_alpha_beta": {},
    "lrp_z_plus": {},
    "excitation_backprop": {},
    "attn_lrp": {},
    "rectgrad": {},
}
SEEN_ON_THE_FACE |= {
    "hires_cam": {},
    "grad_cam_elementwise": {},
    "xgrad_cam": {},
    "eigen_cam": {},
    "eigen_grad_cam": {},
    "finer_cam": {},
    "score_cam": {"channels": 32},
    "smoothgrad_squared": {"samples": 10},
    "gradient_shap": {"samples": 16},
    "idgi": {},
    "guided_integrated_gradients": {"steps": 30},
    "hsic": {},
    "feature_ablation": {},
    "xrai": {"steps": 8},
    "full_grad": {},
    "ablation_cam": {},
    "lime": {"samples": 200},
    "kernel_shap": {"samples": 200},
    "shapley_sampling": {"permutations": 3},
    "sobol": {"cells": 5, "designs": 8},
}


def test_all_methods_are_covered() -> None:
    assert SEEN_ON_THE_FACE.keys() == {name for name, method in METHODS.items() if method.needs is None}


@pytest.mark.parametrize("method", SEEN_ON_THE_FACE)
def test_the_heat_gathers_on_the_face_of_the_cat(network: Network, cat: bytes, method: str) -> None:
    one = ask(network, cat, method, **SEEN_ON_THE_FACE[method])
    assert one.class_id == 285
    assert not one.is_empty
    assert one.saliency.shape == (224, 224)
    heat = np.abs(one.saliency) if one.sign == "absolute" else one.saliency.clip(min=0)
    assert face_to_rest(heat) > 1.05


def test_the_map_of_a_contrast_is_the_difference_of_the_gradients(network: Network, cat: bytes) -> None:
    images = fit(network, decode(cat, 10**7), "squash").pixels[None]
    first, second = (network.value_and_grad(images, np.array([c])) for c in (285, 281))
    one = ask(network, cat, "gradient", 285, 281)
    np.testing.assert_array_equal(one.saliency, np.abs(first.gradients[0] - second.gradients[0]).max(axis=0))
    assert one.other_class_id == 281
    scores = first.logits[0, [285, 281]].astype(float)
    assert one.score == pytest.approx(scores[0] - scores[1], abs=1e-6 * scores[0])  # what float32 leaves of both


def test_the_rules_of_relu_variants_go_through_the_whole_network(network: Network, cat: bytes) -> None:
    deconvnet, guided = (ask(network, cat, name).saliency for name in ("deconvnet", "guided_backprop"))
    gradient = ask(network, cat, "gradient").saliency
    assert len({m.tobytes() for m in (deconvnet, guided, gradient)}) == 3


def test_a_layer_that_does_not_exist_is_answered_with_those_that_do(network: Network, cat: bytes) -> None:
    with pytest.raises(InvalidParameter, match=r"no layer 'fire99'; it has: .*fire9"):
        ask(network, cat, "grad_cam", layer="fire99")


@pytest.mark.parametrize("layer", ["conv1", "pool1", "fire2", "pool3", "fire4", "fire7", "fire9", "conv10"])
def test_gradients_of_layers_against_central_differences(network: Network, cat: bytes, layer: str) -> None:
    """Differences are taken along the gradient by running the part of the network after the layer.

    Layers with ties before a max pool are left out.
    """
    images = fit(network, decode(cat, 10**7), "squash").pixels[None]
    at = network.value_and_grad(images, np.array([285]), layer=layer)
    (values,) = network.activations(images, [layer])
    np.testing.assert_allclose(at.at, values, rtol=1e-4, atol=1e-3)
    rest = onnx.utils.Extractor(network.model.proto).extract_model([layer], ["logits"])
    session = Engine("cpu").load(rest)
    direction = at.gradients / np.sqrt((at.gradients.astype(np.float64) ** 2).sum())
    step = 1e-3 * np.sqrt((values**2).mean())
    ahead, behind = (
        float(session.run(["logits"], {layer: (values + s * direction).astype(np.float32)})[0][0, 285])
        for s in (step, -step)
    )
    slope = float((at.gradients.astype(np.float64) * direction).sum())
    assert (ahead - behind) / (2 * step) == pytest.approx(slope, rel=0.05)


def test_a_score_of_zero_is_differentiated_before_the_relu(network: Network) -> None:
    blank = np.full((1, 3, 224, 224), 0.5, np.float32)
    dead = np.flatnonzero(network.classify(blank)[0] == 0)
    assert dead.size, "no class has a score of exactly 0 on grey"
    at = network.value_and_grad(blank, dead[:1])
    assert at.before_relu[0]
    assert at.scores[0] < 0
    assert at.gradients.any()


def test_a_positive_score_is_differentiated_as_it_is(network: Network, cat: bytes) -> None:
    fitted = fit(network, decode(cat, 10**7), "squash")
    at = network.value_and_grad(fitted.pixels[None])
    assert not at.before_relu[0]
    assert at.scores[0] == pytest.approx(at.logits[0].max(), rel=1e-6)  # computed a second time, for this class alone


def test_each_image_of_a_batch_has_its_own_class(network: Network, cat: bytes, coffee: bytes) -> None:
    photographs = [decode(data, 10**7) for data in (cat, coffee, cat)]
    images = np.stack([fit(network, one, "squash").pixels for one in photographs])
    wanted = np.array([PREDICTED, PREDICTED, 76])
    together = network.value_and_grad(images, wanted)
    assert together.class_ids.tolist() == [285, 967, 76]
    for i in range(3):
        alone = network.value_and_grad(images[i : i + 1], wanted[i : i + 1])
        np.testing.assert_allclose(together.gradients[i], alone.gradients[0], rtol=1e-3, atol=1e-4)


def test_a_class_out_of_range_names_the_range(network: Network) -> None:
    with pytest.raises(InvalidParameter, match="from 0 to 999 for squeezenet1_1; it is -1"):
        question_of(network, "gradient", {}, -1, None)


def test_a_run_that_fails_is_an_engine_error_and_the_next_one_works(network: Network) -> None:
    with pytest.raises(EngineError, match="could not be run"):
        network.value_and_grad(np.zeros((1, 3, 2, 2), np.float32))
    assert network.value_and_grad(np.zeros((1, 3, 64, 64), np.float32)).gradients.shape == (1, 3, 64, 64)
