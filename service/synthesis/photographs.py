"""Parametrizations that begin with a photograph. An image is float64 (3, H, W), RGB, in [0, 1]."""

import numpy as np

from service.synthesis.parametrization import MEAN, STD, Array


class NormalizedPhoto:
    """Normalized pixels z = (rgb − mean) / std that begin with a photograph (3, H, W).

    Args:
        photo: The photograph.
        rounded: Whether the network sees the picture in whole 255ths, as a file would hold it. The gradient passes the
            rounding unchanged.
        clamp: The largest |z| during the first ``clamp_steps`` steps.
        clamp_steps: See ``clamp``.
        clip: Whether z is clipped to valid pixels.
        noise: Whether z starts from uniformly random pixels instead of the photograph.
    """

    def __init__(
        self,
        photo: Array,
        rounded: bool = False,
        clamp: float | None = None,
        clamp_steps: int = 0,
        clip: bool = True,
        noise: bool = False,
    ) -> None:
        self._photo = photo
        self._rounded = rounded
        self._clamp = clamp
        self._clamp_steps = clamp_steps
        self._clip = clip
        self._noise = noise

    def start(self, rng: np.random.Generator) -> Array:
        """The photograph, or random pixels of the same size."""
        return ((rng.uniform(size=self._photo.shape) if self._noise else self._photo) - MEAN) / STD

    def image(self, z: Array) -> Array:
        """The pixels rgb = z · std + mean."""
        image: Array = z * STD + MEAN
        return np.round(image.clip(0, 1) * 255) / 255 if self._rounded else image

    def pull_back(self, z: Array, image: Array, d_image: Array) -> Array:  # noqa: ARG002
        """Apply the chain rule: dz = d_rgb · std."""
        return d_image * STD

    def constrain(self, z: Array, step: int) -> Array:
        """Clip to the bounds that hold at this step."""
        if self._clamp is not None and step < self._clamp_steps:
            z = np.clip(z, -self._clamp, self._clamp)
        return np.clip(z, -MEAN / STD, (1 - MEAN) / STD) if self._clip else z


class Octaves:
    """Pixels of a photograph that starts small and grows, so that large structures form first.

    Mordvintsev et al. 2015, "Inceptionism: Going Deeper into Neural Networks". After each octave the image is enlarged,
    and the detail of the photograph that the smaller size lacked is restored.

    Args:
        photo: The photograph (3, H, W).
        octaves: The number of sizes.
        scale: The factor from one size to the next.
        steps: The number of steps at each size.
    """

    def __init__(self, photo: Array, octaves: int, scale: float, steps: int) -> None:
        self._photo = photo
        self._steps = steps
        height, width = photo.shape[1:]
        factors = [scale ** -(octaves - 1 - k) for k in range(octaves)]
        self._sizes = [(max(32, round(height * f)), max(32, round(width * f))) for f in factors]

    def start(self, rng: np.random.Generator) -> Array:  # noqa: ARG002
        """The photograph at the smallest size."""
        return resized(self._photo, self._sizes[0])

    def image(self, z: Array) -> Array:
        """The pixels themselves."""
        return z

    def pull_back(self, z: Array, image: Array, d_image: Array) -> Array:  # noqa: ARG002
        """Return the gradient unchanged: the numbers are the image."""
        return d_image

    def constrain(self, z: Array, step: int) -> Array:
        """Clip to valid pixels, and enlarge at the end of an octave."""
        z = z.clip(0, 1)
        octave, rest = divmod(step + 1, self._steps)
        if rest or octave >= len(self._sizes):
            return z
        before, after = self._sizes[octave - 1], self._sizes[octave]
        dreamt = z - resized(self._photo, before)
        return (resized(self._photo, after) + resized(dreamt, after)).clip(0, 1)


def resized(image: Array, size: tuple[int, int]) -> Array:
    """The image (3, H, W) at another size, (height, width): cubic interpolation, after a blur where it gets smaller."""
    factors = [new / old for new, old in zip(size, image.shape[1:], strict=True)]
    if factors == [1.0, 1.0]:
        return image
    from scipy.ndimage import gaussian_filter, zoom  # takes time and memory to be imported

    if min(factors) < 1:
        image = gaussian_filter(image, (0, *[max(0.0, (1 / f - 1) / 2) for f in factors]), mode="nearest")
    scaled: Array = zoom(image, (1, *factors), order=3, mode="nearest", grid_mode=True)
    return scaled
