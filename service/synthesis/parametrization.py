"""Parametrizations of images by the numbers that the ascent moves. An image is float64 (3, H, W), RGB, in [0, 1]."""

from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Spectrum = npt.NDArray[np.complex128]
Start = Literal["uniform", "normal"]  # kinds of noise

MEAN: Array = np.array([0.485, 0.456, 0.406])[:, None, None]
STD: Array = np.array([0.229, 0.224, 0.225])[:, None, None]


class Parametrization(Protocol):
    """Numbers z that stand for an image, and how gradients are pulled back from the image to them."""

    def start(self, rng: np.random.Generator) -> Array:
        """Random numbers to start from."""

    def image(self, z: Array) -> Array:
        """The image (3, H, W) that the numbers stand for."""

    def pull_back(self, z: Array, image: Array, d_image: Array) -> Array:
        """The gradient with respect to the numbers, from the one with respect to ``image``, their image."""

    def constrain(self, z: Array, step: int) -> Array:
        """The numbers after a step, projected to what is allowed."""


class Pixels:
    """Normalized pixels z = (rgb − mean) / std, clipped to valid pixels and blurred from time to time.

    Simonyan et al. 2013, "Deep Inside Convolutional Networks", section 2; the blur is that of Yosinski et al. 2015,
    "Understanding Neural Networks Through Deep Visualization", section 3.

    Args:
        size: (height, width).
        start_from: ``uniform`` for uniformly random pixels, ``normal`` for z from a standard normal distribution.
        blur_every: Steps between two blurs, 0 for none.
        blur_sigma: Of the Gaussian, in pixels.
    """

    def __init__(self, size: tuple[int, int], start_from: Start, blur_every: int = 0, blur_sigma: float = 0.0) -> None:
        self._shape = (3, *size)
        self._start_from = start_from
        self._blur_every = blur_every
        self._blur_sigma = blur_sigma

    def start(self, rng: np.random.Generator) -> Array:
        """Random pixels."""
        if self._start_from == "normal":
            return rng.normal(size=self._shape)
        return (rng.uniform(size=self._shape) - MEAN) / STD

    def image(self, z: Array) -> Array:
        """The pixels rgb = z · std + mean, clipped."""
        return (z * STD + MEAN).clip(0, 1)

    def pull_back(self, z: Array, image: Array, d_image: Array) -> Array:  # noqa: ARG002
        """Apply the chain rule: dz = d_rgb · std."""
        return d_image * STD

    def constrain(self, z: Array, step: int) -> Array:
        """Clip to valid pixels, and blur at every ``blur_every``-th step, beginning with the first."""
        z = np.clip(z, -MEAN / STD, (1 - MEAN) / STD)
        if self._blur_every and self._blur_sigma and step % self._blur_every == 0:
            from scipy.ndimage import gaussian_filter1d  # takes time and memory to be imported

            for axis in (1, 2):
                z = gaussian_filter1d(z, self._blur_sigma, axis=axis)
        return z


# Colours of natural images are correlated: the square root of their covariance, as Lucid measured it on ImageNet.
COLOR = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
COLOR_MAP = COLOR / np.linalg.norm(COLOR, axis=0).max()


def _complex(real: Array, imaginary: Array) -> Spectrum:
    numbers = np.empty(real.shape, np.complex128)
    numbers.real, numbers.imag = real, imaginary
    return numbers


class _Spectrum:
    """Images from half spectra (3, H, W // 2 + 1) in decorrelated colours, through a sigmoid."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        height, width = size
        self._pixels = height * width
        frequencies = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
        # Lucid's scale: by 1/f, and the image by 1/4.
        self._weights = np.sqrt(self._pixels) / np.maximum(frequencies, 1 / max(size)) / 4
        # Each column of a half spectrum stands for two columns of the whole one, except the first
        # and, if the width is even, the last.
        self._multiplicity = np.full(width // 2 + 1, 2.0)
        self._multiplicity[0] = 1
        if width % 2 == 0:
            self._multiplicity[-1] = 1

    def _from_spectrum(self, spectrum: Spectrum) -> Array:
        from scipy.fft import irfft2  # takes time and memory to be imported
        from scipy.special import expit

        planes = irfft2(spectrum * self._weights, s=self._size)
        return expit(np.tensordot(COLOR_MAP, planes, axes=1))

    def _spectrum_gradient(self, image: Array, d_image: Array) -> Spectrum:
        """The gradient with respect to the real and imaginary parts of the spectrum of the image."""
        from scipy.fft import rfft2  # takes time and memory to be imported

        d_planes = np.tensordot(COLOR_MAP.T, d_image * image * (1 - image), axes=1)
        gradient: Spectrum = rfft2(d_planes) * (self._multiplicity / self._pixels) * self._weights
        return gradient


class Phases(_Spectrum):
    """Only the phases of a spectrum whose magnitudes are those of natural images, 1/f.

    The numbers are angles, (3, H, W // 2 + 1). Fel et al. 2023, "Unlocking Feature Visualization for Deeper Networks
    with MAgnitude Constrained Optimization", section 3. The paper measures the magnitudes on ImageNet; here they follow
    the power law that such measurements show.
    """

    CONTRAST = 1.5  # standard deviation of the image before the sigmoid

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__(size)
        self._weights[0, 0] = 0  # the mean is grey
        power = float((self._multiplicity * self._weights**2).sum()) / self._pixels**2
        self._weights *= self.CONTRAST / np.sqrt(power)

    def start(self, rng: np.random.Generator) -> Array:
        """Random phases: noise with the spectrum of natural images."""
        return rng.uniform(-np.pi, np.pi, size=(3, *self._weights.shape))

    def image(self, z: Array) -> Array:
        """The sigmoid of the inverse transform in correlated colours."""
        return self._from_spectrum(_complex(np.cos(z), np.sin(z)))

    def pull_back(self, z: Array, image: Array, d_image: Array) -> Array:
        """The component of the gradient of the spectrum along the phases."""
        spectrum = self._spectrum_gradient(image, d_image)
        turned: Array = spectrum.imag * np.cos(z) - spectrum.real * np.sin(z)
        return turned

    def constrain(self, z: Array, step: int) -> Array:  # noqa: ARG002
        """Return z unchanged: every angle is a valid phase."""
        return z


class Fourier(_Spectrum):
    """A spectrum weighted by frequency as in natural images, in decorrelated colours, through a sigmoid.

    The numbers are the real and the imaginary parts of the spectrum, (2, 3, H, W // 2 + 1). Olah, Mordvintsev &
    Schubert 2017, "Feature Visualization", section "Preconditioning and Parameterization".
    """

    def __init__(self, size: tuple[int, int], deviation: float = 0.01) -> None:
        super().__init__(size)
        self._deviation = deviation

    def start(self, rng: np.random.Generator) -> Array:
        """A nearly grey image."""
        return rng.normal(scale=self._deviation, size=(2, 3, *self._weights.shape))

    def image(self, z: Array) -> Array:
        """The sigmoid of the inverse transform in correlated colours."""
        return self._from_spectrum(_complex(z[0], z[1]))

    def pull_back(self, z: Array, image: Array, d_image: Array) -> Array:  # noqa: ARG002
        """The adjoints of the steps of `image`, in reverse order."""
        spectrum = self._spectrum_gradient(image, d_image)
        return np.stack([spectrum.real, spectrum.imag])

    def constrain(self, z: Array, step: int) -> Array:  # noqa: ARG002
        """Return z unchanged: every spectrum stands for an image."""
        return z
