"""Settings of every test: graphs are checked between stages, and seeds are fixed."""
import numpy as np
import pytest

from symk.config import settings

settings.check = True


@pytest.fixture(autouse=True)
def fixed_state():
    """Each test starts from one seed, and leaves the settings as it found them."""
    np.random.seed(1234)
    before = dict(vars(settings))
    yield
    vars(settings).update(before)
