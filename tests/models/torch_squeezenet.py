"""SqueezeNet 1.1 in PyTorch with the same weights, for comparison."""

from typing import Any

import numpy as np

from service.models.weights import Weights

MEAN = (103.939, 116.779, 123.68)


def forward(torch: Any, weights: dict[str, Any], image: Any) -> Any:
    """Logits of images (N, 3, H, W) in [0, 1]; ``weights`` maps names to tensors (OIHW kernel, bias)."""
    f = torch.nn.functional

    def conv(x: Any, name: str, **options: int) -> Any:
        return torch.relu(f.conv2d(x, *weights[name], **options))

    def fire(x: Any, name: str) -> Any:
        s = conv(x, f"{name}/squeeze1x1")
        return torch.cat([conv(s, f"{name}/expand1x1"), conv(s, f"{name}/expand3x3", padding=1)], dim=1)

    def pool(x: Any) -> Any:
        return f.max_pool2d(x, 3, 2, ceil_mode=True)

    mean = torch.tensor(MEAN, dtype=image.dtype, device=image.device).view(1, 3, 1, 1)
    x = pool(conv(image.flip(1) * 255 - mean, "conv1", stride=2))
    x = pool(fire(fire(x, "fire2"), "fire3"))
    x = pool(fire(fire(x, "fire4"), "fire5"))
    for name in ("fire6", "fire7", "fire8", "fire9"):
        x = fire(x, name)
    return conv(x, "conv10").mean(dim=(2, 3))


def tensors(torch: Any, weights: Weights) -> dict[str, Any]:
    """The weights as tensors in PyTorch's layout."""
    return {
        name: (
            torch.tensor(np.ascontiguousarray(np.asarray(k).transpose(3, 2, 0, 1))),
            torch.tensor(np.asarray(b, np.float32)),
        )
        for name, (k, b) in weights.items()
    }


def autograd(torch: Any, weights: Weights, images: np.ndarray, class_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logits and the gradients of the class scores with respect to the images."""
    x = torch.tensor(images, requires_grad=True)
    cast = {name: (kernel.to(x.dtype), bias.to(x.dtype)) for name, (kernel, bias) in tensors(torch, weights).items()}
    logits = forward(torch, cast, x)
    logits[range(len(images)), class_ids].sum().backward()
    return logits.detach().numpy(), x.grad.numpy()
