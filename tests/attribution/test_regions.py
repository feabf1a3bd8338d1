"""Attributions gathered in regions, against loops."""

from typing import Any

import numpy as np

from service.attribution.regions import LEAST_SHARE, ranked, segments
from service.pictures.decode import decode
from service.pictures.images import fit
from tests.attribution.conftest import Toy
from tests.attribution.test_methods import close, run


def greedy(values: Any, masks: list[Any]) -> Any:
    """The ranking, one pixel after the other."""
    found, taken = np.full(values.shape, np.nan), np.zeros(values.shape, bool)
    left = [set(zip(*np.nonzero(mask), strict=True)) for mask in masks]
    while True:
        new = [{p for p in mask if not taken[p]} for mask in left]
        left = [mask for mask, rest in zip(left, new, strict=True) if len(rest) > LEAST_SHARE * values.size]
        new = [rest for rest in new if len(rest) > LEAST_SHARE * values.size]
        if not left:
            break
        densities = [np.mean([values[p] for p in rest]) for rest in new]
        best = int(np.argmax(densities))
        for p in new[best]:
            found[p], taken[p] = densities[best], True
        del left[best]
    found[~taken] = values[~taken].mean() if (~taken).any() else 0
    return found


def test_the_densest_segment_is_taken_first() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(20, 24))
    masks = [rng.random((20, 24)) < 0.2 for _ in range(12)]
    np.testing.assert_allclose(ranked(values, masks), greedy(values, masks), rtol=1e-5)


def test_xrai_ranks_segments_by_integrated_gradients(toy: Toy, image: Any) -> None:
    both = [run(toy, image, "integrated_gradients", steps=6, baseline=fill).map for fill in ("black", "white")]
    masks = [np.asarray(mask) for mask in segments(image)]
    found = run(toy, image, "xrai", steps=6)
    close(found.map, greedy((both[0].astype(float) + both[1]) / 2, masks))
    assert found.notes == {"samples": 12}


def test_segments_of_every_size_cover_the_picture(coffee: bytes) -> None:
    pixels = fit(decode(coffee, 10**7), (224, 224), 256 / 224, "squash").pixels
    masks = segments(pixels)
    assert np.any(masks, axis=0).all()
    shares = sorted(mask.mean() for mask in masks)
    assert shares[0] < 0.02
    assert shares[-1] > 0.2
