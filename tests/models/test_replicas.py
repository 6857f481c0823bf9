"""multi_gpu_model as far as no device is needed: its graph, its names, what it refuses."""
import numpy as np
import pytest

from symk import layers
from symk.compile.native import device_kernel_names
from symk.graph.errors import DeviceError
from symk.models import Model, Sequential
from symk.utils import multi_gpu_model


def template():
    return Sequential([layers.Dense(4, activation="relu", input_shape=(3,), name="first"),
                       layers.Dense(2, name="last")], name="inner")


def has_gpu():
    try:
        return bool(device_kernel_names("cuda:0"))
    except DeviceError:
        return False


def test_a_machine_without_gpus_says_so():
    if has_gpu():
        pytest.skip("there is a GPU")
    with pytest.raises(ValueError, match=r"\[multi_gpu_model\] the devices cuda:0, cuda:1 are "
                                         r"required for gpus=2; one is missing: \[device cuda:0\].*"
                                         r"use the model as it is"):
        multi_gpu_model(template(), gpus=2)
    with pytest.raises(ValueError, match="at least two devices are required; gpus=None is none"):
        multi_gpu_model(template())


@pytest.mark.parametrize("gpus, word", [(1, "cuda:0"), (0, "none"), (["cpu"], "cpu"), ([], "none")])
def test_fewer_than_two_devices_are_refused(gpus, word):
    with pytest.raises(ValueError, match="at least two devices are required.*%s" % word):
        multi_gpu_model(template(), gpus)


def test_more_gpus_than_have_numbers_are_refused_at_once():
    with pytest.raises(ValueError, match="gpus must be at most 1000"):
        multi_gpu_model(template(), 10 ** 12)


@pytest.mark.parametrize("gpus", ["2", 2.0, [1.5, 2], True, [True, 1]])
def test_other_numbers_are_refused(gpus):
    with pytest.raises(TypeError, match="gpus must be a number of GPUs, or a list"):
        multi_gpu_model(template(), gpus)


def test_a_model_without_inputs_is_refused():
    with pytest.raises(ValueError, match="a model with inputs is required"):
        multi_gpu_model(Sequential([layers.Dense(2)]), ["cpu", "cpu"])


def test_on_one_device_it_is_one_function():
    model = template()
    parallel = multi_gpu_model(model, ["cpu", "cpu", "cpu"])
    assert isinstance(parallel, Model) and parallel.inputs == model.inputs
    assert parallel.output_names == ["last"] and parallel.get_layer("inner") is model
    for count in (7, 3, 2, 0):
        x = np.random.default_rng(count).standard_normal((count, 3)).astype("float32")
        np.testing.assert_allclose(parallel.predict_on_batch(x), model.predict_on_batch(x),
                                   rtol=1e-6)
    assert parallel.predict_function.program.device == "cpu"
    parallel.compile("sgd", "mse")
    before = model.get_weights()
    parallel.train_on_batch(np.ones((7, 3)), np.ones((7, 2)))
    assert any(not np.array_equal(one, other) for one, other in zip(model.get_weights(), before))


def test_parts_are_as_in_keras():
    whole = Sequential([layers.Lambda(lambda x: x * 0 + x[:1], input_shape=(1,))])
    parallel = multi_gpu_model(whole, ["cpu"] * 3)      # each row is the first one of its part
    rows = np.arange(8, dtype="float32").reshape(8, 1)
    np.testing.assert_array_equal(parallel.predict_on_batch(rows)[:, 0], [0, 0, 2, 2, 4, 4, 4, 4])


def test_outputs_of_one_name_are_numbered():
    x = layers.Input((2,))
    shared = layers.Dense(3, name="twice")
    model = Model(x, [shared(x), shared(layers.Dense(2)(x))])
    assert multi_gpu_model(model, ["cpu", "cpu"]).output_names == ["twice_1", "twice_2"]
