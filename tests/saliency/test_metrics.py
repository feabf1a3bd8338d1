"""Each metric against a loop in float64, and against Captum if it is installed."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import rankdata

from service.networks.network import Network
from service.pictures.decode import decode
from service.pictures.images import fit
from service.saliency.evaluation import attribute, candidate_of
from service.saliency.explain import Question, question_of
from service.saliency.metrics import (
    METRICS,
    Amounts,
    Candidate,
    Case,
    Measured,
    baseline_maps,
    default_metrics,
    imputation,
    measure,
    runs_needed,
)
from service.saliency.metrics.imputation import filled_in, smooth
from service.saliency.metrics.road import FILLING_RUNS, FRACTIONS
from service.saliency.metrics.sanity import SESSION_RUNS, similarity

CLASS, SIDE = 285, 224
AMOUNTS = Amounts(points=4, stages=2, perturbations=12, neighbours=3)


@pytest.fixture(scope="module")
def image(cat: bytes) -> Any:
    return fit(decode(cat, 10**7), (SIDE, SIDE), 256 / 224, "squash").pixels


@pytest.fixture(scope="module")
def case(network: Network, image: Any) -> Case:
    region = np.zeros((SIDE, SIDE), bool)
    region[40:150, 60:200] = True
    return Case(network, image, CLASS, amounts=AMOUNTS, region=region)


def asked(network: Network, method: str, **values: Any) -> Question:
    return question_of(network, method, values, CLASS, None)


@pytest.fixture(scope="module")
def cam(network: Network, image: Any) -> Candidate:
    question = asked(network, "grad_cam")
    return candidate_of(question, attribute(network, image, question).map)


def still(heat: Any) -> Candidate:
    """A map that need not be made again."""

    def again(*_: Any) -> Any:
        raise AssertionError("it was made again")

    return Candidate(np.asarray(heat, np.float32), np.asarray(heat, np.float32), again)


def value(name: str, case: Case, candidate: Candidate) -> Any:
    return METRICS[name].function(case, candidate).value


def score(case: Case, picture: Any) -> float:
    return float(case.network.classify(picture[None].astype(np.float32))[0, CLASS])


def falls(case: Case, masks: Any) -> Any:
    """By how much the score falls when each mask is filled with the mean colour."""
    found = []
    for mask in masks:
        picture = case.image.copy()
        for channel in range(3):
            picture[channel][mask] = case.image[channel].astype(np.float64).mean()
        found.append(score(case, case.image) - score(case, picture))
    return np.array(found)


def squares(case: Case) -> Any:
    masks = np.zeros((len(case.squares.parts), SIDE, SIDE), bool)
    for mask, (top, left, side) in zip(masks, case.squares.parts, strict=True):
        mask[top : top + side, left : left + side] = True
    return masks


def sums(heat: Any, masks: Any) -> Any:
    return np.array([sum(heat[y, x].item() for y, x in zip(*np.nonzero(mask), strict=True)) for mask in masks])


def spearman(one: Any, other: Any) -> float:
    ranks = [rankdata(np.abs(each).ravel()).astype(np.float64) for each in (one, other)]
    a, b = (each - each.mean() for each in ranks)
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


def test_infidelity_is_what_the_best_scaling_leaves_unexplained(case: Case, cam: Candidate) -> None:
    masks = squares(case)
    assert len({mask.sum() for mask in masks}) > 6
    changes, foretold = falls(case, masks), sums(cam.heat, masks)
    scale = np.linalg.lstsq(foretold[:, None], changes, rcond=None)[0][0]
    left = np.mean((scale * foretold - changes) ** 2) / np.mean(changes**2)
    assert value("infidelity", case, cam) == pytest.approx(left, rel=1e-3)
    assert 0 < left < 1
    assert value("infidelity", case, still(np.zeros_like(cam.heat))) == 1


def test_mu_fidelity_is_the_correlation_with_sums_over_cells(case: Case, cam: Candidate) -> None:
    edges = [-(-i * SIDE // 9) for i in range(10)]
    cells = [(slice(*edges[y : y + 2]), slice(*edges[x : x + 2])) for y in range(9) for x in range(9)]
    masks, foretold = [], []
    for chosen in case.subsets.parts:
        assert chosen.sum() == 16  # a fifth of them
        mask = np.zeros((SIDE, SIDE), bool)
        for cell, taken in zip(cells, chosen, strict=True):
            mask[cell] = taken
        masks.append(mask)
        foretold.append(sum(float(cam.heat[c].mean()) for c, taken in zip(cells, chosen, strict=True) if taken))
    correlation = np.corrcoef(foretold, falls(case, masks))[0, 1]
    assert value("mu_fidelity", case, cam) == pytest.approx(correlation, abs=1e-3)
    for same in (0, 1):  # knows nothing of the cells
        assert value("mu_fidelity", case, still(np.full_like(cam.heat, same))) is None


def test_sensitivity_is_the_largest_change_among_neighbours(case: Case) -> None:
    seen = []

    def again(_: Any, picture: Any, class_id: int) -> Any:
        seen.append(picture)
        return np.array([[3.0, 4.0 + len(seen)]])

    found = METRICS["sensitivity_max"].function(case, Candidate(np.array([[3.0, 4.0]]), np.zeros((1, 2)), again))
    assert found.series == pytest.approx([0.2, 0.4, 0.6])
    assert found.value == pytest.approx(0.6)
    for picture in seen:
        assert 0.019 < np.abs(picture - case.image).max() <= 0.02001


def test_road_fills_in_what_neighbours_say() -> None:
    rng = np.random.default_rng(4)
    image = rng.random((3, 7, 6)).astype(np.float32)
    missing = rng.random((7, 6)) < 0.6
    missing[:3, :4] = True  # a corner, and pixels whose neighbours are all missing
    places = list(zip(*np.nonzero(missing), strict=True))
    matrix, right = np.eye(len(places)), np.zeros((len(places), 3))
    for i, (y, x) in enumerate(places):
        weights = {}
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                if (dy, dx) != (0, 0) and 0 <= y + dy < 7 and 0 <= x + dx < 6:
                    weights[y + dy, x + dx] = 1 / (6 if 0 in (dy, dx) else 12)
        for place, weight in weights.items():
            share = weight / sum(weights.values())
            if missing[place]:
                matrix[i, places.index(place)] -= share
            else:
                right[i] += share * image[:, place[0], place[1]]
    noise = 0.01 * np.random.default_rng(9).standard_normal((3, len(places)))
    filled = filled_in(image, missing, np.random.default_rng(9))
    np.testing.assert_allclose(filled[:, missing], np.linalg.solve(matrix, right).T + noise, atol=1e-5)
    np.testing.assert_array_equal(filled[:, ~missing], image[:, ~missing])


def test_large_holes_are_filled_in_step_by_step(image: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sides are odd, so that halves are padded."""
    picture = image[:, :201, :173]
    rng = np.random.default_rng(2)
    holes = rng.random((201, 173)) < 0.8
    holes[20:150, 30:140] = True
    directly = smooth(picture, holes)
    monkeypatch.setattr(imputation, "DIRECT", 500)
    errors = np.abs(smooth(picture, holes) - directly)[:, holes]
    assert errors.max() < imputation.NOISE
    assert errors.mean() < imputation.NOISE / 10
    monkeypatch.setattr(imputation, "ACCURACY", 1e-9)
    np.testing.assert_allclose(smooth(picture, holes), directly, atol=1e-6)


@pytest.mark.parametrize(("name", "sign"), [("road_most_relevant", 1), ("road_least_relevant", -1)])
def test_road_removes_from_either_end(case: Case, cam: Candidate, name: str, sign: int) -> None:
    found = METRICS[name].function(case, cam)
    order = sorted(range(SIDE**2), key=lambda i: -sign * cam.heat.flat[i])
    rng, expected = np.random.default_rng(0), []
    for fraction in FRACTIONS:
        missing = np.zeros(SIDE**2, bool)
        missing[order[: round(fraction * SIDE**2)]] = True
        logits = case.network.classify(filled_in(case.image, missing.reshape(SIDE, SIDE), rng)[None])[0]
        expected.append(np.exp(logits - logits.max())[CLASS] / np.exp(logits - logits.max()).sum())
    assert found.series == pytest.approx(expected, rel=1e-3, abs=1e-6)
    assert found.value == pytest.approx(np.mean(expected), rel=1e-3)


def test_sparseness_is_the_gini_index(case: Case) -> None:
    heat = np.random.default_rng(0).normal(size=(6, 5)) ** 3
    values = np.abs(heat).ravel()
    differences = sum(abs(a - b) for a in values for b in values)  # the mean difference, as a share of the mean
    gini = differences / (2 * len(values) ** 2 * values.mean())
    assert value("sparseness", case, still(heat)) == pytest.approx(gini, rel=1e-5)
    assert value("sparseness", case, still(np.ones((4, 4)))) == pytest.approx(0, abs=1e-12)
    assert value("sparseness", case, still(np.eye(4) * [1, 0, 0, 0])) == pytest.approx(15 / 16)
    assert value("sparseness", case, still(np.zeros((4, 4)))) is None


def test_complexity_is_an_entropy(case: Case) -> None:
    heat = np.random.default_rng(0).normal(size=(6, 5))
    shares = np.abs(heat).ravel() / np.abs(heat).sum()
    assert value("complexity", case, still(heat)) == pytest.approx(-sum(p * np.log(p) for p in shares), rel=1e-6)
    assert value("complexity", case, still(np.ones((4, 4)))) == pytest.approx(np.log(16))
    assert value("complexity", case, still(np.eye(4) * [1, 0, 0, 0])) == 0
    assert value("complexity", case, still(np.zeros((4, 4)))) is None


def test_completeness_is_the_share_that_is_missing(case: Case, network: Network, image: Any) -> None:
    gained = score(case, image) - score(case, np.zeros_like(image))
    heat = np.full((SIDE, SIDE), 0.75 * gained / SIDE**2)
    assert value("completeness", case, still(heat)) == pytest.approx(0.25, rel=1e-3)
    complete = attribute(network, image, asked(network, "idgi", steps=4)).map
    assert value("completeness", case, still(complete)) < 1e-3


def test_where_the_map_is(case: Case) -> None:
    heat = np.zeros((SIDE, SIDE))
    heat[0, 0], heat[50, 70], heat[60, 80], heat[0, 1], heat[0, 2] = 5, 3, 2, -40, 0.5
    assert value("pointing_game", case, still(heat)) == 0
    assert value("pointing_game", case, still(heat * (heat < 4))) == 1
    assert value("relevance_mass_accuracy", case, still(heat)) == pytest.approx(5 / 10.5)
    assert value("iou", case, still(heat)) == pytest.approx(2 / (110 * 140 + 1))
    assert value("iou", case, still(heat.clip(max=0))) is None
    noise = np.random.default_rng(0).random((SIDE, SIDE))
    hottest = sorted(np.ndindex(SIDE, SIDE), key=lambda place: -noise[place])[: 110 * 140]
    inside = sum(40 <= y < 150 and 60 <= x < 200 for y, x in hottest) / (110 * 140)
    assert value("relevance_rank_accuracy", case, still(noise)) == pytest.approx(inside)


def test_the_map_of_another_class(case: Case, cam: Candidate, network: Network, image: Any) -> None:
    found = METRICS["random_logit"].function(case, cam)
    (name,) = found.at
    other = network.model.manifest.labels.index(str(name))
    assert other != CLASS
    map_ = attribute(network, image, Question("grad_cam", asked(network, "grad_cam").parameters, other)).map
    assert found.value == pytest.approx(spearman(cam.map, map_), abs=1e-6)


def test_similarity_is_that_of_absolute_values() -> None:
    one, other = np.random.default_rng(0).normal(size=(2, 9, 8)).astype(np.float32)
    assert similarity(one, other) == pytest.approx(spearman(one, other))
    assert similarity(one, -one) == pytest.approx(1)
    assert similarity(one, np.full_like(one, 3)) == similarity(np.zeros_like(one), one) == 0
    assert similarity(one, np.full_like(one, np.nan)) == 0


@pytest.mark.parametrize("name", ["cascading_randomization", "independent_randomization"])
def test_random_weights(case: Case, cam: Candidate, network: Network, image: Any, name: str) -> None:
    from service.graphs.randomization import randomized, weighted_nodes

    names = weighted_nodes(network.model.proto)
    stages = {"cascading_randomization": [names[13:], names], "independent_randomization": [names[13:14], names[:1]]}
    found = METRICS[name].function(case, cam)
    expected = []
    for layers in stages[name]:
        random = network.with_weights(randomized(network.model.proto, layers))
        expected.append(spearman(cam.map, attribute(random, image, asked(network, "grad_cam")).map))
    assert found == Measured(pytest.approx(np.mean(expected)), ("fire6/squeeze1x1", "conv1"), pytest.approx(expected))


def test_what_baselines_get(case: Case, image: Any) -> None:
    """Edges see neither weights nor class, and random maps are never the same."""
    found = measure(case, baseline_maps(image), list(METRICS))
    for name in ("cascading_randomization", "independent_randomization", "random_logit"):
        assert found[name]["edges"].value == pytest.approx(1)
        assert abs(found[name]["random"].value or 0) < 0.02
    assert found["completeness"] == {}
    share = case.region.mean()  # type: ignore[union-attr]
    assert found["relevance_mass_accuracy"]["random"].value == pytest.approx(share, abs=0.01)
    assert found["sparseness"]["random"].value == pytest.approx(1 / 3, abs=0.01)  # the Gini index of a uniform law


@pytest.mark.parametrize("name", METRICS)
def test_the_cost_is_known_before(
    network: Network, image: Any, case: Case, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = asked(network, "smoothgrad", samples=4)
    candidates = {"smoothgrad": candidate_of(question, attribute(network, image, question).map), **baseline_maps(image)}
    fresh = Case(network, image, CLASS, amounts=AMOUNTS, region=case.region)
    count, run = [0], Network._run

    def counting(self: Network, session: Any, outputs: Any, feeds: Any) -> Any:
        count[0] += len(feeds[self.model.manifest.input])
        return run(self, session, outputs, feeds)

    monkeypatch.setattr(Network, "_run", counting)
    measure(fresh, candidates, [name])
    beside = {"randomization": AMOUNTS.stages * SESSION_RUNS, "relevant": 3 * len(FRACTIONS) * FILLING_RUNS}
    needed = runs_needed([name], [5], AMOUNTS) - beside.get(name.rpartition("_")[2], 0)
    assert count[0] == needed


def test_defaults_are_cheap() -> None:
    assert set(default_metrics(False)) < set(default_metrics(True))
    assert not any(METRICS[name].needs_region for name in default_metrics(False))
    before = 1000 + 3 * 2 * (28 + 1) + 6 * (1000 + SESSION_RUNS)  # what /evaluate has always measured
    assert 1000 + runs_needed(default_metrics(True), [1000], Amounts()) == before + 2


def test_captum_agrees(case: Case, network: Network, image: Any) -> None:
    """On the scores and maps of this service, so that nothing but the metrics is compared."""
    torch = pytest.importorskip("torch", reason="optional: pip install --group bench")
    metrics = pytest.importorskip("captum.metrics", reason="optional: pip install --group bench")
    question = asked(network, "lrp")
    candidate = candidate_of(question, attribute(network, image, question).map)
    x = torch.tensor(image[None])

    def forward(pictures: Any) -> Any:
        return torch.tensor(network.classify(pictures.numpy())[:, CLASS])

    masks = iter(squares(case))

    def perturb(pictures: Any) -> Any:  # the map is in the first channel, and so is what is taken from it
        mask = torch.tensor(np.stack([next(masks) for _ in pictures]))[:, None]
        taken = torch.zeros_like(pictures)
        taken[:, :1] = mask
        return taken, torch.where(mask, pictures.mean(dim=(2, 3), keepdim=True), pictures)

    spread = torch.zeros_like(x)
    spread[0, 0] = torch.tensor(candidate.heat)
    number = len(squares(case))
    found = metrics.infidelity(forward, perturb, x, spread, n_perturb_samples=number, normalize=True)
    energy = np.mean(case.squares.falls**2)
    assert value("infidelity", case, candidate) == pytest.approx(found.item() / energy, rel=1e-3)

    rng = np.random.default_rng(0)

    def near(inputs: Any) -> Any:
        noise = [rng.uniform(-0.02, 0.02, image.shape).astype(np.float32) for _ in inputs[0]]
        return (inputs[0] + torch.tensor(np.stack(noise)),)

    def explain(inputs: Any) -> Any:
        return (torch.tensor(np.stack([attribute(network, each, question).map for each in inputs[0].numpy()])),)

    most = metrics.sensitivity_max(explain, x, near, n_perturb_samples=AMOUNTS.neighbours)
    assert value("sensitivity_max", case, candidate) == pytest.approx(most.item(), rel=1e-5)
