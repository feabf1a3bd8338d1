"""convlens: a REST microservice that makes convolutional networks understandable."""

import os

__version__ = "0.1.0"

# Read by NumPy and SciPy as they are imported. Their own threads would wait for more work on the cores that the runtime
# computes on: a network that runs after one dot product takes twice as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
