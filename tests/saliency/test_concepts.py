"""Factors of a layer of SqueezeNet against a loop over places, and what is drawn of them."""

import numpy as np
import pytest

from service.errors import InvalidParameter
from service.networks.network import Network
from service.pictures import images, tints
from service.pictures.decode import Photograph, decode
from service.pictures.images import Fitted
from service.saliency import concepts
from service.saliency.concepts import Concepts, draw, find_concepts
from service.saliency.intake import fit

CUP = 967
Taken = list[tuple[Photograph, Fitted]]


@pytest.fixture(scope="module")
def taken(network: Network, cat: bytes, coffee: bytes) -> Taken:
    photographs = [decode(data, 10**7) for data in (cat, coffee)]
    return [(each, fit(network, each, "squash")) for each in photographs]


@pytest.fixture(scope="module")
def found(network: Network, taken: Taken) -> Concepts:
    return find_concepts(network, taken, "fire8", 4, None)


def test_importance_is_gradient_times_factor_summed_over_places(
    network: Network, taken: Taken, found: Concepts
) -> None:
    for (_, fitted), one in zip(taken, found.portrayed, strict=True):
        at = network.value_and_grad(fitted.pixels[None], layer="fire8")
        gradients = at.gradients[0].astype(np.float64)
        for k in range(4):
            expected = 0.0
            for y, x in np.ndindex(*one.strengths.shape[1:]):
                expected += float(one.strengths[k, y, x]) * float(gradients[:, y, x] @ found.directions[k])
            assert one.importances[k] == pytest.approx(expected, rel=1e-4, abs=1e-4)
        assert one.total == pytest.approx(float((gradients * at.at[0]).sum()), rel=1e-6)
        assert one.score == pytest.approx(float(at.scores[0]))
    means = np.mean([one.importances for one in found.portrayed], axis=0)
    np.testing.assert_allclose(found.importances, means)
    assert list(means) == sorted(means, reverse=True)


def test_the_error_is_what_is_left_of_all_photographs(network: Network, taken: Taken, found: Concepts) -> None:
    left, all_ = 0.0, 0.0
    for (_, fitted), one in zip(taken, found.portrayed, strict=True):
        (values,) = network.activations(fitted.pixels[None], ["fire8"])
        rest = values[0].astype(np.float64) - np.einsum("khw,kc->chw", one.strengths, found.directions)
        left += float((rest**2).sum())
        all_ += float((values[0].astype(np.float64) ** 2).sum())
    assert found.relative_error == pytest.approx(np.sqrt(left / all_), rel=1e-4)
    assert found.negative == 0


def test_a_named_class_is_asked_about_in_every_photograph(network: Network, taken: Taken) -> None:
    found = find_concepts(network, taken, "fire8", 4, CUP)
    assert [one.class_id for one in found.portrayed] == [CUP, CUP]
    assert found.portrayed[1].importances.sum() > found.portrayed[0].importances.sum()


def test_factors_of_a_layer_with_negative_values(network: Network, taken: Taken) -> None:
    layer = next(name for name, layer in network.layers.items() if layer.operator == "Conv")
    found = find_concepts(network, taken[:1], layer, 3, None)
    (values,) = network.activations(taken[0][1].pixels[None], [layer])
    squares = values.astype(np.float64) ** 2
    assert found.negative == pytest.approx(float(squares[values < 0].sum() / squares.sum()))
    assert 0 < found.negative < 1
    assert min(one.strengths.min() for one in found.portrayed) >= 0


def test_too_much_is_refused(network: Network, taken: Taken, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidParameter, match=r"factors must be from 1 to 3 for preprocessed"):
        find_concepts(network, taken, "preprocessed", 4, None)
    monkeypatch.setattr(concepts, "MAX_VALUES", 512 * 13 * 13)
    assert find_concepts(network, taken[:1], "fire8", 2, None)
    with pytest.raises(InvalidParameter, match="send fewer"):
        find_concepts(network, taken, "fire8", 2, None)


def test_pixels_have_the_colour_of_the_strongest_factor() -> None:
    maps = np.zeros((2, 4, 4), np.float32)
    maps[0, :, :2], maps[1, :, 2:] = 1, 0.5
    white = np.full((64, 64, 3), 255, np.uint8)
    drawn = tints.tinted(white, maps, tints.COLOURS[:2], 1.0)
    np.testing.assert_array_equal(drawn[60, 3], tuple(bytes.fromhex(tints.COLOURS[0][1:])))
    other = np.array(list(bytes.fromhex(tints.COLOURS[1][1:])))
    np.testing.assert_allclose(drawn[60, 60], 255 + np.sqrt(0.5) * (other - 255), atol=1)
    np.testing.assert_array_equal(tints.tinted(white, 0 * maps, tints.COLOURS[:2], 1.0), white)


def test_a_factor_has_its_number_where_it_is_the_strongest_unless_it_is_faint() -> None:
    maps = np.zeros((3, 4, 4), np.float32)
    maps[0, 0, 0], maps[1, 3, 3], maps[2, 0, 3] = 1, 0.5, 0.2
    grey = np.full((80, 80, 3), 128, np.uint8)
    changed = (tints.numbered(grey, maps) != grey).any(axis=2)
    assert changed[:20, :20].any()
    assert changed[60:, 60:].any()
    changed[:20, :20] = changed[60:, 60:] = False
    assert not changed.any()


def test_a_bar_is_as_long_as_its_importance() -> None:
    drawn = tints.legend("", [4.0, 1.0, -2.0], 400)
    lengths = []
    for i in range(3):
        row = drawn[tints.ROW * (i + 1) + tints.ROW // 2]
        lengths.append(int((row == tuple(bytes.fromhex(tints.COLOURS[i][1:]))).all(axis=1).sum()))
    assert lengths[0] / lengths[1] == pytest.approx(4, rel=0.05)
    assert lengths[0] / lengths[2] == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize("shape", [(1, 1), (3, 2000), (2000, 3), (300, 451)])
def test_photographs_of_any_shape_are_drawn_with_their_legend(network: Network, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    photograph = Photograph.of(rng.integers(0, 256, (*shape, 3), dtype=np.uint8))
    one = photograph, fit(network, photograph, "squash")
    found = find_concepts(network, [one, one], "fire9", 3, None)
    height, width, _ = draw(network, found, 0.9, 1024).shape
    assert 3 * tints.ROW < height <= 512 + 4 * tints.ROW
    assert 2 * tints.NARROWEST <= width <= 2 * 512
    assert images.encode_png(draw(network, found, 0.9, 1024))
