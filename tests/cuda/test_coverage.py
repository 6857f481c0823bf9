"""Which kernels run on the device itself, and which on the host between copies."""
from symk.compile.native import kernel_names

# These print, or call Python.
ON_HOST = {"print", "callback"}
# These run Plans, whose steps are the device's.
ANYWHERE = {"scan", "cond"}


def test_every_kernel_of_the_host_is_one_of_the_device(kernels):
    assert kernel_names() - kernels - ANYWHERE == ON_HOST
    assert kernels <= kernel_names()
