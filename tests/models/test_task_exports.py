"""Detectors, segmentations and embeddings of `transformers`, exported and compared with autograd.

Optional: make networks.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.attribution import METHODS
from service.models.drafting import Choices
from service.models.importing import add
from service.networks.checking import standalone
from service.saliency.grammar import parse
from service.saliency.targets import Beside, resolve
from service.saliency.view import View

torch = pytest.importorskip("torch", reason="optional: make networks")
T = pytest.importorskip("transformers", reason="optional: make networks")

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")]
SIZE = 64
SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "image_size": SIZE,
    "patch_size": 8,
    "attn_implementation": "eager",
}


class Chosen(torch.nn.Module):  # type: ignore[misc,name-defined]
    """A network that returns the fields of these names of what another one returns."""

    def __init__(self, network: Any, names: tuple[str, ...]) -> None:
        super().__init__()
        self.network, self.names = network, names

    def forward(self, x: Any) -> Any:
        found = self.network(x)
        values = tuple(getattr(found, name) for name in self.names)
        return values if len(values) > 1 else values[0]


def yolos() -> Any:
    config = T.YolosConfig(**{**SMALL, "image_size": [SIZE, SIZE]}, num_detection_tokens=10, num_labels=5)
    return Chosen(T.YolosForObjectDetection(config), ("logits", "pred_boxes"))


def detr() -> Any:
    backbone = T.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], out_features=["stage4"]
    )
    config = T.DetrConfig(
        use_timm_backbone=False, use_pretrained_backbone=False, backbone=None, backbone_config=backbone, d_model=32,
        num_queries=10, num_labels=5, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=48, decoder_ffn_dim=48, attn_implementation="eager",
    )  # fmt: skip
    return Chosen(T.DetrForObjectDetection(config), ("logits", "pred_boxes"))


def deeplab() -> Any:
    config = T.MobileViTConfig(
        image_size=SIZE, hidden_sizes=[16, 24, 32], neck_hidden_sizes=[8, 8, 16, 16, 24, 32, 48], num_labels=4,
        num_attention_heads=2, aspp_out_channels=16, attn_implementation="eager",
    )  # fmt: skip
    network = T.MobileViTForSemanticSegmentation(config)
    for parameter in network.parameters():  # as they begin, all scores are next to 0
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter)
    return Chosen(network, ("logits",))


def segformer() -> Any:
    config = T.SegformerConfig(
        hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], num_attention_heads=[1, 1, 2, 2], decoder_hidden_size=16,
        num_labels=4,
    )  # fmt: skip
    return Chosen(T.SegformerForSemanticSegmentation(config), ("logits",))


def dino() -> Any:
    return Chosen(T.Dinov2Model(T.Dinov2Config(**SMALL)), ("pooler_output",))


def clip() -> Any:
    config = T.CLIPVisionConfig(**SMALL, projection_dim=16)
    return Chosen(T.CLIPVisionModelWithProjection(config), ("image_embeds",))


def at_detection(outputs: Any, other: Any, rows: Any) -> Any:
    row, column = np.argwhere(rows)[0]
    return outputs[0][0, row, column]


def at_side(outputs: Any, other: Any, rows: Any) -> Any:
    return (outputs[1][0] * torch.tensor(rows)).sum()


def at_region(outputs: Any, other: Any, rows: Any) -> Any:
    return (outputs[0][0] * torch.tensor(rows)).sum()


def at_similarity(outputs: Any, other: Any, rows: Any) -> Any:
    return torch.nn.functional.cosine_similarity(outputs[0][0], other[0][0], dim=0)


CASES: dict[str, tuple[Callable[[], Any], Choices, str, Callable[[Any, Any, Any], Any]]] = {
    "YOLOS": (yolos, Choices(), "detection:0", at_detection),
    "YOLOS, a side": (yolos, Choices(), "detection:0.left", at_side),
    "DETR": (detr, Choices(), "detection:0", at_detection),
    "MobileViT, DeepLab": (deeplab, Choices(), "region:{}", at_region),
    "SegFormer": (segformer, Choices(), "region:{}", at_region),
    "DINOv2": (dino, Choices(task="embedding"), "similarity", at_similarity),
    "CLIP": (clip, Choices(task="embedding"), "similarity", at_similarity),
}


@pytest.mark.parametrize("name", CASES)
def test_targets_of_exported_networks(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make, choices, text, score_of = CASES[name]
    monkeypatch.setattr("service.saliency.detections.LEAST", 0.0)  # the weights are random
    torch.manual_seed(0)
    network = make().eval()
    torch.onnx.export(
        network, (torch.zeros(1, 3, SIZE, SIZE),), tmp_path / "net.onnx", dynamo=False, input_names=["pixels"]
    )
    plain = Choices(task=choices.task, size=(SIZE, SIZE), mean=(0.0,), std=(1.0,))
    ours = standalone(add(tmp_path / "net.onnx", tmp_path / "models", plain))
    image, other = np.random.default_rng(0).random((2, 3, SIZE, SIZE), np.float32)
    if "{}" in text:
        maps = ours.outputs(image[None])[ours.model.manifest.places or ""][0]
        text = text.format(np.bincount(maps.argmax(axis=0).ravel()).argmax())
    target = resolve(ours, image, parse(text), Beside(other=other if "similar" in text else None))

    x = torch.tensor(image[None], requires_grad=True)
    outputs, others = network(x), network(torch.tensor(other[None]))
    outputs, others = (each if isinstance(each, tuple) else (each,) for each in (outputs, others))
    score = score_of(outputs, others, target.weights)
    score.backward()
    at = ours.value_and_grad(image[None], target=target)
    assert at.scores[0] == pytest.approx(float(score), rel=1e-3, abs=1e-5)
    expected = x.grad.numpy()
    error = float(np.linalg.norm(at.gradients - expected) / np.linalg.norm(expected))
    print(f"{name} relative error {error:.1e}")
    assert np.abs(expected).max() > 1e-9
    assert error < 1e-3
    for method in ("integrated_gradients", "attn_lrp", "deeplift", "grad_cam"):
        found = METHODS[method].run(View(ours, None, target), image, 0, METHODS[method].parameters())
        assert np.isfinite(found.map).all()
