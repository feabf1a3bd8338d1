"""Several methods side by side: the numbers are those of each alone, and ranks follow from them."""

import io
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from service.client import Client, ServiceError
from service.networks.network import Network
from service.saliency.comparison import Comparison, Findings, compare, comparison_runs
from service.saliency.evaluation import evaluate
from service.saliency.explain import Question, question_of
from service.saliency.intake import Intake, read_and_fit
from service.saliency.metrics import Amounts, Measured
from service.saliency.targets import NOTHING
from service.telemetry.timing import Stopwatch
from tests.saliency.test_region import BOX, mask_of

QUICK = "points=4&perturbations=10&stages=1&steps=4&samples=4"


def findings(insertion: Any, deletion: Any, seconds: Any) -> Findings:
    values = {"insertion": insertion, "deletion": deletion}
    names = ("a", "b", "c")
    measurements = {
        metric: {who: Measured(value) for who, value in zip((*names, "random"), of_maps, strict=True)}
        for metric, of_maps in values.items()
    }
    return Findings(0, np.ones(1, np.float32), measurements, dict(zip(names, seconds, strict=True)), {})


def test_means_and_ranks() -> None:
    both = [
        findings((0.2, 0.4, None, 0.9), (0.1, 0.10004, 0.2, 0.0), (3, 4, 5)),
        findings((0.4, 0.6, None, 0.7), (0.3, 0.30004, 0.1, 0.0), (2, 6, 5)),
    ]
    found = Comparison(("a", "b", "c"), both, {"a": 1, "b": 2, "c": 3})
    assert found.means["insertion"] == pytest.approx({"a": 0.3, "b": 0.5, "c": None, "random": 0.8})
    assert found.means["deletion"] == pytest.approx({"a": 0.2, "b": 0.20004, "c": 0.15, "random": 0.0})
    assert found.ranks["insertion"] == {"a": 2, "b": 1, "c": 3}  # what is not defined is last
    assert found.ranks["deletion"] == {"a": 2.5, "b": 2.5, "c": 1}  # less is better; equal to three digits
    assert found.mean_ranks == {"a": 2.25, "b": 1.75, "c": 2}
    assert found.seconds == {"a": 2, "b": 4, "c": 5}


def test_the_numbers_are_those_of_each_method_alone(network: Network, cat: bytes, coffee: bytes) -> None:
    both = read_and_fit(network, [cat, coffee], Intake("squash", "exact", 10**7, 1024), Stopwatch())
    questions = [question_of(network, method, {}, None, None) for method in ("gradient", "grad_cam")]
    metrics, amounts = ["insertion", "mu_fidelity", "sensitivity_max", "random_logit"], Amounts(4, 1, 10, 2)
    found = compare(network, both, questions, metrics, amounts, [NOTHING, NOTHING])
    assert [each.class_id for each in found.findings] == [285, 967]
    for (_, fitted), each in zip(both, found.findings, strict=True):
        for question in questions:
            alone = evaluate(network, fitted.pixels, question, metrics, amounts).measurements
            for metric in metrics:
                for who in (question.method, "edges"):
                    assert each.measurements[metric][who].value == pytest.approx(alone[metric][who].value, rel=1e-4)
    assert found.runs == {"gradient": 1, "grad_cam": 1}


def test_the_cost_grows_with_maps_but_perturbed_pictures_are_shared(network: Network) -> None:
    def cost(metrics: list[str], *methods: str) -> int:
        asked: list[Question] = [question_of(network, method, {}, None, None) for method in methods]
        return comparison_runs(asked, metrics, Amounts(points=4, perturbations=50))(224, 224)

    assert cost(["sparseness"], "gradient", "smoothgrad") == 1 + 1 + 26
    assert cost(["deletion"], "gradient", "smoothgrad") == 28 + 5 * 4
    assert cost(["mu_fidelity"], "gradient") - 2 == cost(["mu_fidelity"], "gradient", "smoothgrad") - 28 == 51


def test_the_request(client: httpx.Client, cat: bytes, coffee: bytes) -> None:
    files = [("image", cat), ("image", coffee)]
    response = client.post(f"/compare?methods=lrp,smoothgrad,integrated_gradients&{QUICK}", files=files)
    data = response.json()["data"]
    assert [photograph["class_id"] for photograph in data["photographs"]] == [285, 967]
    metrics = {metric["name"]: metric for metric in data["metrics"]}
    assert list(metrics) == ["deletion", "insertion", "mu_fidelity", "sparseness", "random_logit"]
    for name, metric in metrics.items():
        assert set(metric["values"]) == {"lrp", "smoothgrad", "integrated_gradients", "random", "edges"}
        assert sum(metric["ranks"].values()) == 6
        for who, mean in metric["values"].items():
            of_each = [photograph["metrics"][name][who] for photograph in data["photographs"]]
            assert mean == pytest.approx(np.mean(of_each))
    assert [method["mean_rank"] for method in data["methods"]] == sorted(m["mean_rank"] for m in data["methods"])
    assert {m["name"]: m["runs"] for m in data["methods"]} == {"lrp": 1, "smoothgrad": 5, "integrated_gradients": 6}
    assert all(method["seconds"] > 0 for method in data["methods"])
    assert "none tells that a map is right" in data["reading"]
    assert response.json()["meta"]["parameters"]["samples"] == 4


def test_targets_are_compared_as_classes_are(client: httpx.Client, cat: bytes, coffee: bytes) -> None:
    def compared(**parameters: Any) -> Any:
        query = QUICK + "&methods=gradient,smoothgrad,integrated_gradients&metrics=mu_fidelity,sensitivity_max"
        response = client.post(f"/compare?{query}", files=[("image", cat), ("image", coffee)], data=parameters)
        assert response.status_code == 200, response.text
        return response.json()["data"]

    mine, theirs = compared(target='{"class": 285}'), compared(class_id=285)
    for one, other in zip(mine["photographs"], theirs["photographs"], strict=True):
        assert (one["class_id"], one["name"], one["probability"]) == (None, None, None)
        for metric, of_maps in one["metrics"].items():
            assert of_maps == pytest.approx(other["metrics"][metric], rel=2e-2, abs=2e-3)
    assert mine["photographs"][0]["metrics"] != mine["photographs"][1]["metrics"]


@pytest.mark.parametrize("path", ["/compare", "/evaluate"])
def test_similar_pictures_are_put_to_the_test(client: httpx.Client, cat: bytes, coffee: bytes, path: str) -> None:
    files = [("image", cat), ("other", coffee)]
    one = "method=gradient" if path == "/evaluate" else "methods=gradient,grad_cam"
    url = f"{path}?{QUICK.removesuffix('&steps=4&samples=4')}&{one}&metrics=mu_fidelity&target="
    response = client.post(f"{url}similarity", files=files)
    assert response.status_code == 200, response.text
    drawn = client.post(f"{url}similarity", files=files, headers={"Accept": "image/png"})
    assert drawn.headers["content-type"] == "image/png"
    refused = client.post(f"{url}class:3", files=files)
    assert "for the target similarity" in refused.json()["detail"]


def test_the_plot_has_a_row_for_each_photograph(client: httpx.Client, cat: bytes, coffee: bytes) -> None:
    sizes = []
    for photographs in ([cat], [cat, coffee]):
        files = [("image", each) for each in photographs]
        query = f"methods=gradient,grad_cam&metrics=sparseness&{QUICK.partition('&steps')[0]}"
        response = client.post(f"/compare?{query}", files=files, headers={"Accept": "image/png"})
        sizes.append(Image.open(io.BytesIO(response.content)).size)
    assert sizes[0][0] == sizes[1][0]
    assert sizes[1][1] - sizes[0][1] == pytest.approx(90 * 1.6 * 2 / 3, abs=6)  # both are half as wide again as high


def test_boxes_and_masks(client: httpx.Client, cat: bytes, coffee: bytes) -> None:
    query = "/compare?methods=gradient&metrics=relevance_mass_accuracy,iou"
    files: list[Any] = [("image", cat), ("image", coffee)]
    by_box = client.post(f"{query}&box=100,20,380,250,0,0,300,400", files=files).json()["data"]
    masks = [("mask", mask_of(BOX)), ("mask", mask_of((0, 0, 300, 400), (600, 400)))]
    by_mask = client.post(query, files=[*files, *masks]).json()["data"]
    for one, other in zip(by_box["photographs"], by_mask["photographs"], strict=True):
        for metric in ("relevance_mass_accuracy", "iou"):
            assert one["metrics"][metric] == pytest.approx(other["metrics"][metric], abs=0.01)
    usual = client.post("/compare?methods=gradient&points=4&perturbations=10&box=0,0,451,300", files={"image": cat})
    assert usual.json()["data"]["photographs"][0]["metrics"]["pointing_game"]["gradient"] == 1


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("methods=gradiant", "there is no method 'gradiant'; there are: gradient"),
        ("methods=lrp&metrics=beauty", "there is no metric 'beauty'; there are: deletion"),
        ("methods=lrp,gradient&masks=50", "none of the methods takes masks; they take"),
        ("methods=gradient&masks=50", "none of the methods takes masks; they take no parameters"),
        ("methods=lime,smoothgrad&samples=5", "samples of lime: Input should be greater than or equal to 10"),
        ("metrics=iou", "iou can only be measured if it is known where the object is: send box="),
        ("box=1,2,3", "box must be left,upper,right,lower for each photograph, 4 numbers in all; it has 3"),
        ("box=0,0,9,9,0,0,9,9", "4 numbers in all; it has 8"),
        ("box=0,0,1000,9", "within the photograph, which has 451 x 300 pixels"),
        ("class_id=1000", "class_id must be from 0 to 999"),
        ("methods=rise,occlusion", "compare fewer methods, metrics or photographs at a time"),
        ("methods=lrp,attention_rollout", "attention_rollout cannot be compared: squeezenet1_1 has no attention"),
        ("methods=grad_cam&layer=fire99", "has no layer 'fire99'"),
    ],
)
def test_refusals_say_what_to_do(client: httpx.Client, cat: bytes, query: str, detail: str) -> None:
    response = client.post(f"/compare?{query}", files={"image": cat})
    assert response.status_code == 422
    assert detail in response.json()["detail"]


def test_what_compares_classes_has_no_target(client: httpx.Client, cat: bytes) -> None:
    response = client.post("/compare?methods=gradient,finer_cam&target=class:3", files={"image": cat})
    assert response.status_code == 422
    assert "finer_cam compares classes" in response.text


def test_masks_are_one_for_each_photograph(client: httpx.Client, cat: bytes) -> None:
    for path in ("/compare", "/evaluate"):
        two = [("image", cat), ("mask", mask_of(BOX)), ("mask", mask_of(BOX))]
        assert "send one in 'mask' for each image" in client.post(path, files=two).json()["detail"]
        both = client.post(f"{path}?box=0,0,9,9", files=[("image", cat), ("mask", mask_of(BOX))])
        assert both.json()["detail"] == "box and mask both say where the object is; send one of them"
    assert "belong in the field 'image'" in client.post("/classify", files=two).json()["detail"]


def test_the_client_compares(client: httpx.Client, cat: bytes) -> None:
    with Client(str(client.base_url)) as own:
        answer = own.compare([cat], [mask_of(BOX)], methods=["gradient", "grad_cam"], metrics=["iou"])
        assert answer["data"]["metrics"][0]["values"].keys() == {"gradient", "grad_cam", "random", "edges"}
        with pytest.raises(ServiceError, match="there is no method"):
            own.compare([cat], methods=["beauty"])


def test_metrics_are_described(client: httpx.Client) -> None:
    found = {each["name"]: each for each in client.get("/evaluate/metrics").json()}
    assert found["iou"]["needs_region"]
    assert found["deletion"] | {"limits": "", "summary": ""} == {
        "name": "deletion",
        "summary": "",
        "paper": "Petsiuk et al. 2018, RISE, section 4.1",
        "better": "smaller",
        "limits": "",
        "default": True,
        "needs_region": False,
        "evaluations": 3 * 29,
    }
    for each in found.values():
        assert each["summary"].endswith(".")
        assert each["limits"].startswith("Tells ")
