"""Every test of K runs by the NumPy meanings and by the runtime."""
import pytest

from symk.config import settings


@pytest.fixture(params=["reference", "native"], autouse=True)
def mode(request, fixed_state):
    settings.mode = request.param
    return request.param
