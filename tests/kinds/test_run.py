"""From a checkpoint to the picture."""

import numpy as np
import pytest

from service.kinds.feature import ClassParameters
from service.kinds.run import Visualization
from service.networks.network import Network


def drawing(network: Network, checkpoint: bytes | None) -> Visualization:
    asked = ClassParameters(class_id=76, iterations=4, size=64, seed=1).completed(network)
    return Visualization(network, asked, checkpoint=checkpoint)


def test_a_job_goes_on_where_its_checkpoint_was(network: Network) -> None:
    whole, part = drawing(network, None), drawing(network, None)
    list(whole.steps())
    steps = part.steps()
    next(steps)
    next(steps)
    resumed = drawing(network, part.state.save())
    assert len(list(resumed.steps())) == 2
    np.testing.assert_array_equal(resumed.picture(), whole.picture())


@pytest.mark.parametrize("garbled", [b"no archive", b"PK\x03\x04 cut", b"\0" * 1000])
def test_a_garbled_checkpoint_lets_it_begin_anew(network: Network, garbled: bytes) -> None:
    whole, anew = drawing(network, None), drawing(network, garbled)
    list(whole.steps())
    assert len(list(anew.steps())) == 4
    np.testing.assert_array_equal(anew.picture(), whole.picture())
