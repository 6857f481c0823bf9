"""Where the tests of CUDA kernels run: on the host, or on a GPU with SYMK_TEST_DEVICE=cuda."""
import gc
import os
import sys

import pytest

from symk import config
from symk.compile.native import device_kernel_names
from symk.config import device as device_scope
from symk.graph.errors import DeviceError

sys.path.insert(0, os.path.dirname(__file__))
from stand_in import StandIn  # noqa: E402

DEVICE = os.environ.get("SYMK_TEST_DEVICE", "cuda-host")


@pytest.fixture(scope="session")
def kernels():
    """The names of the device's own kernels; without the device the tests are left out."""
    try:
        return device_kernel_names(DEVICE)
    except DeviceError as error:
        if "SYMK_TEST_DEVICE" in os.environ:
            raise
        pytest.skip(str(error))


@pytest.fixture
def on_device(kernels):
    """Functions that the test compiles run on the device."""
    with device_scope(DEVICE):
        yield DEVICE


@pytest.fixture
def stand_in(on_device):
    """The stand-in for the CUDA runtime; as it was after the test."""
    if not on_device.startswith("cuda-host"):
        pytest.skip("a GPU cannot be made small, old or lost")
    gc.collect()        # what functions of other tests held is not freed within this one
    made = StandIn()
    fields = ("devices", "memory", "pinned", "driver", "capability", "late", "peers", "streams",
              "together",
              "exhausted")
    before = [(name, getattr(made, name)) for name in fields]
    yield made
    for name, value in before:
        setattr(made, name, value)
    made.lost = -1


@pytest.fixture
def outside(stand_in):
    """The stand-in, outside of the scope that it comes with."""
    before = config._scoped.set(None), config._current.set(None)
    yield stand_in
    config._scoped.reset(before[0])
    config._current.reset(before[1])
