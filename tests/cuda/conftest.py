"""Where the tests of CUDA kernels run: on the host, or on a GPU with SYMK_TEST_DEVICE=cuda."""
import os

import pytest

from symk.compile.native import device_kernel_names
from symk.config import device as device_scope
from symk.graph.errors import DeviceError

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
