"""What the ascent moves: numbers that stand for an image. An image is float64 (3, H, W), RGB, in [0, 1]."""

from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft2, rfft2
from scipy.ndimage import gaussian_filter1d
from scipy.special import expit

Array = npt.NDArray[np.float64]
Spectrum = npt.NDArray[np.complex128]

MEAN: Array = np.array([0.485, 0.456, 0.406])[:, None, None]
STD: Array = np.array([0.229, 0.224, 0.225])[:, None, None]


class Parametrization(Protocol):
    """Numbers that stand for an image, and the way back for its gradient."""

    def start(self, rng: np.random.Generator) -> Array:
        """Random numbers to start from."""

    def image(self, z: Array) -> Array:
        """The image (3, H, W) that the numbers stand for."""

    def pull_back(self, z: Array, image: Array, d_image: Array) -> Array:
        """The gradient with respect to the numbers, from the one with respect to the image that they stand for."""

    def constrain(self, z: Array, step: int) -> Array:
        """What is done to the numbers after a step."""


class Pixels:
    """Normalized pixels z = (rgb − mean) / std, clipped to what a pixel can be, blurred now and then (Simonyan 2013; Yosinski 2015).

    size: (height, width). start_from: ``uniform`` for random pixels, ``normal`` for z of a standard normal distribution. blur_every: in
    steps, 0 for never. blur_sigma: in pixels.
    """

    def __init__(self, size: tuple[int, int], start_from: str, blur_every: int = 0, blur_sigma: float = 0.0) -> None:
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
        """Rgb = z · std + mean, clipped."""
        return (z * STD + MEAN).clip(0, 1)

    def pull_back(self, z: Array, image: Array, d_image: Array) -> Array:  # noqa: ARG002
        """Dz = d_rgb · std."""
        return d_image * STD

    def constrain(self, z: Array, step: int) -> Array:
        """Clip to valid pixels; blur at every ``blur_every``-th step, the first one included."""
        z = np.clip(z, -MEAN / STD, (1 - MEAN) / STD)
        if self._blur_every and self._blur_sigma and step % self._blur_every == 0:
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
    """Square images from half spectra (3, H, W // 2 + 1) in decorrelated colours, through a sigmoid."""

    def __init__(self, size: int) -> None:
        self._size = size
        frequencies = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
        self._weights = size / np.maximum(frequencies, 1 / size) / 4  # Lucid's scale: by 1/f, and the image by 1/4
        # Each column of a half spectrum stands for two of the whole one, but the first and, of an even size, the last.
        self._multiplicity = np.full(size // 2 + 1, 2.0)
        self._multiplicity[0] = 1
        if size % 2 == 0:
            self._multiplicity[-1] = 1

    def _from_spectrum(self, spectrum: Spectrum) -> Array:
        planes = irfft2(spectrum * self._weights, s=(self._size, self._size))
        return expit(np.tensordot(COLOR_MAP, planes, axes=1))

    def _spectrum_gradient(self, image: Array, d_image: Array) -> Spectrum:
        """The gradient with respect to the real and the imaginary parts of the spectrum that gave the image."""
        d_planes = np.tensordot(COLOR_MAP.T, d_image * image * (1 - image), axes=1)
        gradient: Spectrum = rfft2(d_planes) * (self._multiplicity / self._size**2) * self._weights
        return gradient


class Phases(_Spectrum):
    """Only the phases of a spectrum whose magnitudes are those of natural images: 1/f. The numbers are angles, (3, H, W // 2 + 1).

    Fel et al. 2023, "Unlocking Feature Visualization for Deeper Networks with MAgnitude Constrained Optimization", section 3. There the
    magnitudes are measured on ImageNet; here they follow the power law of such measurements.
    """

    CONTRAST = 1.5  # standard deviation of the image before the sigmoid

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._weights[0, 0] = 0  # the mean is grey
        power = float((self._multiplicity * self._weights**2).sum()) / size**4
        self._weights *= self.CONTRAST / np.sqrt(power)

    def start(self, rng: np.random.Generator) -> Array:
        """Random phases: noise with the spectrum of natural images."""
        return rng.uniform(-np.pi, np.pi, size=(3, self._size, self._size // 2 + 1))

    def image(self, z: Array) -> Array:
        """Sigmoid of the correlated colours of the inverse transform."""
        return self._from_spectrum(_complex(np.cos(z), np.sin(z)))

    def pull_back(self, z: Array, image: Array, d_image: Array) -> Array:
        """The part of the spectrum's gradient that turns the phases."""
        spectrum = self._spectrum_gradient(image, d_image)
        turned: Array = spectrum.imag * np.cos(z) - spectrum.real * np.sin(z)
        return turned

    def constrain(self, z: Array, step: int) -> Array:  # noqa: ARG002
        """Nothing: every angle is a phase."""
        return z


class Fourier(_Spectrum):
    """A spectrum whose frequencies weigh as much as they do in natural images, in decorrelated colours, through a sigmoid.

    Olah, Mordvintsev & Schubert 2017, "Feature Visualization", section "Preconditioning and Parameterization". The numbers are the real
    and the imaginary parts of the spectrum, (2, 3, H, W // 2 + 1).
    """

    def __init__(self, size: int, deviation: float = 0.01) -> None:
        super().__init__(size)
        self._deviation = deviation

    def start(self, rng: np.random.Generator) -> Array:
        """A nearly grey image."""
        return rng.normal(scale=self._deviation, size=(2, 3, self._size, self._size // 2 + 1))

    def image(self, z: Array) -> Array:
        """Sigmoid of the correlated colours of the inverse transform."""
        return self._from_spectrum(_complex(z[0], z[1]))

    def pull_back(self, z: Array, image: Array, d_image: Array) -> Array:  # noqa: ARG002
        """The adjoint of each step of `image`, in reverse order."""
        spectrum = self._spectrum_gradient(image, d_image)
        return np.stack([spectrum.real, spectrum.imag])

    def constrain(self, z: Array, step: int) -> Array:  # noqa: ARG002
        """Nothing: every spectrum is an image."""
        return z
