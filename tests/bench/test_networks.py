"""The networks of the bench: what they are said to cost is what their Keras models have."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from bench import networks  # noqa: E402 (the folder is no package)
from bench.models import NETWORKS, symk_model  # noqa: E402


@pytest.mark.parametrize("name", sorted(set(NETWORKS) - {"vgg16", "resnet50"}))   # too large here
def test_a_network_has_the_parameters_that_are_counted(name):
    network, shape, _ = NETWORKS[name]
    assert networks.count(network, shape)[1] == symk_model(name).count_params()


@pytest.mark.parametrize("name, flops, tolerance", [
    ("resnet50", 2 * 3.86e9, 0.01),       # He et al. 2015, table 1: multiply-adds
    ("mobilenet", 2 * 569e6, 0.01),       # Howard et al. 2017, table 4
    ("vgg16", 2 * 15.5e9, 0.01)])         # Simonyan & Zisserman 2014
def test_a_known_network_has_the_operations_of_its_paper(name, flops, tolerance):
    network, shape, _ = NETWORKS[name]
    assert networks.count(network, shape)[0] == pytest.approx(flops, rel=tolerance)
