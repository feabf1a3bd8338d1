"""convlens: a REST microservice that makes convolutional networks understandable."""

__version__ = "0.1.0"
