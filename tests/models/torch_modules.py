"""SqueezeNet 1.1 as PyTorch modules with the same weights, for peers that hook into modules."""

from functools import cache
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from service.models.weights import squeezenet_weights
from tests.models.torch_squeezenet import MEAN

_weights = cache(squeezenet_weights)


class Caffe(nn.Module):
    """From RGB in [0, 1] to what the network was trained on."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x.flip(1) * 255 - cast(Tensor, self.mean)


class Fire(nn.Module):
    """A squeeze and two expansions side by side."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.squeeze = convolution(f"{name}/squeeze1x1")
        self.narrow, self.wide = convolution(f"{name}/expand1x1"), convolution(f"{name}/expand3x3", padding=1)

    def forward(self, x: Tensor) -> Tensor:
        s = self.squeeze(x)
        return torch.cat([self.narrow(s), self.wide(s)], dim=1)


def convolution(name: str, stride: int = 1, padding: int = 0) -> nn.Sequential:
    """The convolution of that name and its ReLU."""
    kernel, bias = (np.asarray(a, np.float32) for a in _weights()[name])
    layer = nn.Conv2d(kernel.shape[2], kernel.shape[3], kernel.shape[0], stride, padding)
    layer.weight.data = torch.tensor(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
    layer.bias = nn.Parameter(torch.tensor(bias))
    return nn.Sequential(layer, nn.ReLU())


def squeezenet() -> nn.Sequential:
    """Features, head, mean over places; ``[0][12]`` is fire9. No parameter wants a gradient."""

    def pool() -> nn.MaxPool2d:
        return nn.MaxPool2d(3, 2, ceil_mode=True)

    fire = {i: Fire(f"fire{i}") for i in range(2, 10)}
    features = nn.Sequential(
        Caffe(),
        convolution("conv1", 2),
        *(pool(), fire[2], fire[3]),
        *(pool(), fire[4], fire[5]),
        *(pool(), fire[6], fire[7], fire[8], fire[9]),
    )
    whole = nn.Sequential(features, convolution("conv10"), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return whole.eval().requires_grad_(False)
