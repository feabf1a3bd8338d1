"""What the methods are measured against: Captum where it has the method, else a loop in PyTorch as one writes it."""

from collections.abc import Callable
from typing import Any

import captum.attr as captum
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as f

from service.attribution.baselines import blurred
from service.attribution.method import CHUNK
from service.attribution.perturbation import Masks, random_mask

Peer = Callable[[nn.Sequential, Tensor, int], Any]


def _captum(name: str, **options: Any) -> Peer:
    def run(network: nn.Sequential, x: Tensor, class_id: int) -> Any:
        return getattr(captum, name)(network).attribute(x.detach().requires_grad_(True), target=class_id, **options)

    return run


def _noise_tunnel(kind: str) -> Peer:
    def run(network: nn.Sequential, x: Tensor, class_id: int) -> Any:
        tunnel = captum.NoiseTunnel(captum.Saliency(network))
        options: dict[str, Any] = {"nt_type": kind, "nt_samples": 25, "nt_samples_batch_size": CHUNK, "stdevs": 0.15}
        return tunnel.attribute(x.detach().requires_grad_(True), target=class_id, abs=False, **options)

    return run


def _last(network: nn.Sequential) -> nn.Module:
    layer: nn.Module = network[0][12]  # type: ignore[index]
    return layer


def grad_cam(network: nn.Sequential, x: Tensor, class_id: int) -> Any:
    cam = captum.LayerGradCam(network, _last(network)).attribute(x, target=class_id, relu_attributions=True)
    return f.interpolate(cam, x.shape[2:], mode="bilinear")


def guided_grad_cam(network: nn.Sequential, x: Tensor, class_id: int) -> Any:
    return captum.GuidedGradCam(network, _last(network)).attribute(x.detach().requires_grad_(True), target=class_id)


def _weighted(weigh: Callable[[Tensor, Tensor], Tensor]) -> Peer:
    """Maps of the last features, weighted by what their values and gradients give."""

    def run(network: nn.Sequential, x: Tensor, class_id: int) -> Any:
        maps = network[0](x).detach().requires_grad_(True)
        (gradients,) = torch.autograd.grad(network[1:](maps)[0, class_id], maps)
        cam = (weigh(maps.detach(), gradients) * maps.detach()).sum(dim=1, keepdim=True).relu()
        return f.interpolate(cam, x.shape[2:], mode="bilinear")

    return run


def _plus_plus(maps: Tensor, gradients: Tensor) -> Tensor:
    denominator = 2 * gradients**2 + maps.sum(dim=(2, 3), keepdim=True) * gradients**3
    alphas = torch.where(denominator != 0, gradients**2 / denominator, 0)
    return (alphas * gradients.relu()).sum(dim=(2, 3), keepdim=True)


def blur_integrated_gradients(network: nn.Sequential, x: Tensor, class_id: int) -> Any:
    image = x[0].contiguous().numpy()
    path = np.stack([blurred(image, sigma) for sigma in 50 * np.linspace(1, 0, 33) ** 2])
    total = torch.zeros_like(x[0])
    for i in range(0, 32, CHUNK):
        ends = torch.tensor(path[i : i + CHUNK + 1])
        middles = ((ends[1:] + ends[:-1]) / 2).requires_grad_(True)
        (gradients,) = torch.autograd.grad(network(middles)[:, class_id].sum(), middles)
        total += (gradients * (ends[1:] - ends[:-1])).sum(dim=0)
    return total.sum(dim=0)


@torch.no_grad()
def rise(network: nn.Sequential, x: Tensor, class_id: int) -> Any:
    rng, parameters = np.random.default_rng(0), Masks(masks=96)
    mean, weighted = x.mean(dim=(2, 3), keepdim=True), torch.zeros(x.shape[2:])
    for _ in range(0, parameters.masks, CHUNK):
        masks = torch.tensor(np.stack([random_mask(rng, tuple(x.shape[2:]), parameters) for _ in range(CHUNK)]))
        scores = network(mean + masks[:, None] * (x - mean)).softmax(dim=1)[:, class_id]
        weighted += (scores[:, None, None] * masks).sum(dim=0)
    return weighted / parameters.masks


_OCCLUSION = {"sliding_window_shapes": (3, 32, 32), "strides": (3, 16, 16), "perturbations_per_eval": CHUNK}

PEERS: dict[str, tuple[str, Peer]] = {
    "gradient": ("Captum", _captum("Saliency")),
    "gradient_x_input": ("Captum", _captum("InputXGradient")),
    "smoothgrad": ("Captum", _noise_tunnel("smoothgrad")),
    "vargrad": ("Captum", _noise_tunnel("vargrad")),
    "integrated_gradients": ("Captum", _captum("IntegratedGradients", n_steps=32, internal_batch_size=CHUNK)),
    "blur_integrated_gradients": ("a loop", blur_integrated_gradients),
    "guided_backprop": ("Captum", _captum("GuidedBackprop")),
    "deconvnet": ("Captum", _captum("Deconvolution")),
    "grad_cam": ("Captum", grad_cam),
    "grad_cam_plus_plus": ("a loop", _weighted(_plus_plus)),
    "layer_cam": ("a loop", _weighted(lambda _, gradients: gradients.relu())),
    "guided_grad_cam": ("Captum", guided_grad_cam),
    "occlusion": ("Captum", torch.no_grad()(_captum("Occlusion", **_OCCLUSION))),
    "rise": ("a loop", rise),
}
