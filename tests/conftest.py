"""Settings of every test: graphs are checked between stages, and seeds are fixed."""
import os

import hypothesis
import numpy as np
import pytest

os.environ["SYMK_KERAS_JSON"] = ""   # what a person has there changes no test

from symk.config import settings  # noqa: E402
from symk.graph import node as nodes  # noqa: E402
from symk.ops.custom import CustomOp  # noqa: E402

settings.check = True

# Property tests try the same examples at every run; a failure is the change's, not the day's.
hypothesis.settings.register_profile("fixed", derandomize=True, deadline=None)
hypothesis.settings.load_profile("fixed")


@pytest.fixture(autouse=True)
def fixed_state():
    """Each test starts from one seed, and leaves the settings as it found them."""
    np.random.seed(1234)
    before = dict(vars(settings))
    yield
    vars(settings).update(before)


@pytest.fixture
def own_ops():
    """The ops that a test defines are gone after it."""
    before = set(nodes._REGISTRY)
    yield
    for name, op in list(nodes._REGISTRY.items()):
        if name not in before and issubclass(op, CustomOp):
            del nodes._REGISTRY[name]
