"""multi_gpu_model on several devices: the numbers of the model alone, the same bits at every run,
one set of weights."""
import numpy as np
import pytest

import symk
from symk import backend as K
from symk import config, layers, regularizers
from symk.callbacks import ModelCheckpoint
from symk.graph.errors import DeviceError, GraphError, ShapeError
from symk.mixed_precision import LossScaleOptimizer
from symk.models import Model, Sequential, load_model
from symk.optimizers import SGD, Adam
from symk.utils import multi_gpu_model

DEVICES = {"two": ["cuda-host:0", "cuda-host:1"], "three": ["cuda-host:%d" % n for n in range(3)],
           "host and one": ["cpu", "cuda-host:1"]}
FIT = {"batch_size": 8, "epochs": 2, "shuffle": False, "verbose": 0}


def data(count=45, seed=0):
    random = np.random.default_rng(seed)
    x = random.standard_normal((count, 8)).astype("float32")
    return x, np.eye(3, dtype="float32")[random.integers(0, 3, count)]


def dense():
    return Sequential([layers.Dense(16, activation="tanh", input_shape=(8,),
                                    kernel_regularizer=regularizers.l2(0.01)),
                       layers.Dense(3, activation="softmax")])


def recurrent():
    return Sequential([layers.Reshape((4, 2), input_shape=(8,)), layers.LSTM(5),
                       layers.Dense(3, activation="softmax")])


def two_inputs():
    one, other = layers.Input((8,)), layers.Input((3,))
    joined = layers.concatenate([layers.Dense(6, activation="relu")(one), other])
    return Model([one, other], [layers.Dense(3, activation="softmax", name="kind")(joined),
                                layers.Dense(1, name="size")(joined)])


def pair(make, devices, **arguments):
    """A model and its twin on several devices, with the template of the twin."""
    alone, template = make(), make()
    template.set_weights(alone.get_weights())
    return alone, multi_gpu_model(template, DEVICES[devices], **arguments), template


def same(one, other, rtol=1e-4, atol=1e-6):
    for value, wanted in zip(one, other):
        np.testing.assert_allclose(value, wanted, rtol=rtol, atol=atol)


@pytest.mark.parametrize("devices", sorted(DEVICES))
@pytest.mark.parametrize("cpu_merge", [True, False])
@pytest.mark.parametrize("make", [dense, recurrent])
def test_training_is_that_of_the_model_alone(outside, devices, cpu_merge, make):
    alone, parallel, template = pair(make, devices, cpu_merge=cpu_merge)
    x, y = data()
    for model in (alone, parallel):
        model.compile(SGD(0.1, momentum=0.9), "categorical_crossentropy", metrics=["accuracy"])
    wanted, given = alone.fit(x, y, **FIT), parallel.fit(x, y, **FIT)    # the last batch has 5 rows
    for name in ("loss", "accuracy"):
        np.testing.assert_allclose(given.history[name], wanted.history[name], rtol=1e-5)
    same(template.get_weights(), alone.get_weights())
    same(parallel.evaluate(x, y, verbose=0), alone.evaluate(x, y, verbose=0))
    same([parallel.predict(x, batch_size=7)], [alone.predict(x)])
    same([template.predict(x)], [alone.predict(x)])
    assert parallel.train_function.plan is None
    used = parallel.train_function.program.device.split(", ")
    assert set(DEVICES[devices]) <= set(used)


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "adagrad", "nadam"])
def test_each_optimizer_makes_the_steps_of_the_model_alone(outside, optimizer):
    alone, parallel, template = pair(dense, "three")
    for model in (alone, parallel):
        model.compile(optimizer, "categorical_crossentropy")
        model.fit(*data(), **FIT)
    same(template.get_weights(), alone.get_weights(), rtol=1e-3, atol=1e-5)


def test_gradients_may_be_clipped_by_the_norm_of_all(outside):
    alone, parallel, template = pair(dense, "two")
    for model in (alone, parallel):
        model.compile(Adam(clipnorm=0.01), "categorical_crossentropy")
        model.fit(*data(), **FIT)
    same(template.get_weights(), alone.get_weights(), atol=1e-5)


def deep():
    return Sequential([layers.Dense(8, activation="tanh", input_shape=(8,))]
                      + [layers.Dense(8, activation="tanh") for _ in range(6)]
                      + [layers.Dense(3, activation="softmax")])


def test_each_device_computes_its_part_again(outside):
    alone, parallel, template = pair(deep, "two")
    for model, recompute in ((alone, False), (parallel, True)):
        model.compile("sgd", "categorical_crossentropy", recompute=recompute)
        model.fit(*data(), **FIT)
    same(template.get_weights(), alone.get_weights())
    _, plain, _ = pair(deep, "two")
    plain.compile("sgd", "categorical_crossentropy")

    def steps_on(model):
        programs = model.train_function.program.programs
        return {name: sum(len(program.plan.steps) for program in programs if program.device == name)
                for name in ["cpu", *DEVICES["two"]]}
    counts = [steps_on(plain), steps_on(parallel)]
    assert all(counts[1][name] >= counts[0][name] + 5 for name in DEVICES["two"])
    assert abs(counts[1]["cpu"] - counts[0]["cpu"]) < 5


def test_models_with_several_inputs_and_outputs(outside):
    alone, parallel, template = pair(two_inputs, "three")
    x, y = data()
    more, size = x[:, :3] * 2, x[:, :1]
    assert parallel.output_names == ["kind", "size"]
    for model in (alone, parallel):
        model.compile("sgd", {"kind": "categorical_crossentropy", "size": "mse"})
    wanted = alone.fit([x, more], [y, size], sample_weight={"kind": np.arange(45.0)}, **FIT)
    given = parallel.fit([x, more], [y, size], sample_weight={"kind": np.arange(45.0)}, **FIT)
    for name in ("loss", "kind_loss", "size_loss"):
        np.testing.assert_allclose(given.history[name], wanted.history[name], rtol=1e-5)
    same(template.get_weights(), alone.get_weights())
    same(parallel.predict([x, more]), alone.predict([x, more]))


@pytest.mark.parametrize("cpu_merge", [True, False])
def test_a_run_gives_the_same_bits_again(outside, cpu_merge):
    runs = []
    for _ in range(2):
        _, parallel, template = pair(recurrent, "three", cpu_merge=cpu_merge)
        np.random.seed(1)
        template.set_weights([np.random.standard_normal(w.shape) for w in template.get_weights()])
        parallel.compile("adam", "categorical_crossentropy")
        parallel.fit(*data(), **FIT)
        runs.append(template.get_weights())
    for one, other in zip(*runs):
        np.testing.assert_array_equal(one, other)


def test_moving_statistics_move_part_by_part(outside):
    template = Sequential([layers.BatchNormalization(momentum=0.9, input_shape=(8,)),
                           layers.Dense(3, activation="softmax")])
    parallel = multi_gpu_model(template, DEVICES["three"])
    parallel.compile(SGD(0.0), "categorical_crossentropy")
    x, y = data(11)
    parallel.train_on_batch(x, y)
    mean, variance = np.zeros(8), np.ones(8)
    for part in (x[:3], x[3:6], x[6:]):
        count = len(part)
        mean = 0.9 * mean + 0.1 * part.mean(0)
        variance = 0.9 * variance + 0.1 * part.var(0) * count / (count - 1.001)
    _, _, moving_mean, moving_variance = template.layers[0].get_weights()
    np.testing.assert_allclose(moving_mean, mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(moving_variance, variance, rtol=1e-4)


def test_a_part_without_rows_has_no_statistics(outside):
    template = Sequential([layers.BatchNormalization(input_shape=(8,)),
                           layers.Dense(3, activation="softmax")])
    parallel = multi_gpu_model(template, DEVICES["three"])
    parallel.compile("sgd", "categorical_crossentropy")
    x, y = data(2)
    before = template.get_weights()
    with pytest.raises(ShapeError, match="each device must have a row of a batch in training"):
        parallel.train_on_batch(x, y)
    for one, other in zip(template.get_weights(), before):
        np.testing.assert_array_equal(one, other)
    same([parallel.predict(x)], [template.predict(x)])


def test_a_batch_may_be_shorter_than_the_devices_are_many(outside):
    alone, parallel, template = pair(dense, "three")
    for model in (alone, parallel):
        model.compile("sgd", "categorical_crossentropy")
        for count in (1, 2, 3):
            model.train_on_batch(*data(count))
    same(template.get_weights(), alone.get_weights())


def test_dropout_draws_for_each_part(outside):
    template = Sequential([layers.Dropout(0.5, input_shape=(8,)), layers.Dense(3)])
    parallel = multi_gpu_model(template, DEVICES["two"])
    f = K.function([parallel.inputs[0], K.learning_phase()],
                   [parallel.layers[-1].input[0], parallel.outputs[0]])
    _, once = f([np.ones((40, 8), "float32"), 1])
    _, again = f([np.ones((40, 8), "float32"), 1])
    assert not np.array_equal(once, again) and not np.array_equal(once[:20], once[20:])


def test_each_device_has_only_its_part_of_a_batch(outside):
    _, parallel, _ = pair(dense, "two")
    shapes = [program.last_shapes for program in parallel.predict_function.program.programs]
    x, _ = data(40)
    parallel.predict(x, batch_size=40)
    own = {program.device: program.plan for program in parallel.predict_function.program.programs}
    assert len(shapes) == 4 and set(own) == {"cpu", "cuda-host:0", "cuda-host:1"}
    held = {name: sum(buffer.kind == "input" for buffer in own[name].buffers)
            for name in DEVICES["two"]}
    assert held == {"cuda-host:0": 2, "cuda-host:1": 2}     # x for its sizes, and the part


def test_the_template_is_saved_and_goes_on_alone(outside, tmp_path):
    _, parallel, template = pair(dense, "two")
    parallel.compile("adam", "categorical_crossentropy")
    parallel.fit(*data(), **FIT)
    template.save(str(tmp_path / "model.h5"))
    template.save_weights(str(tmp_path / "weights.h5"))
    x, y = data()
    loaded = load_model(str(tmp_path / "model.h5"), compile=False)
    same([loaded.predict(x)], [parallel.predict(x)])
    expected = parallel.predict(x)
    template.set_weights([np.zeros(w.shape) for w in template.get_weights()])
    assert not np.allclose(parallel.predict(x), expected)
    template.load_weights(str(tmp_path / "weights.h5"))
    same([parallel.predict(x)], [expected])
    parallel.save_weights(str(tmp_path / "parallel.h5"))
    parallel.load_weights(str(tmp_path / "parallel.h5"))
    same([parallel.predict(x)], [expected])


def test_relocation_trains_a_clone(outside):
    template = dense()
    parallel = multi_gpu_model(template, DEVICES["two"], cpu_relocation=True)
    x, y = data()
    same([parallel.predict(x)], [template.predict(x)])
    before = template.get_weights()
    parallel.compile("adam", "categorical_crossentropy")
    parallel.fit(x, y, **FIT)
    for one, other in zip(template.get_weights(), before):
        np.testing.assert_array_equal(one, other)
    assert any(not np.allclose(one, other) for one, other in zip(parallel.get_weights(), before))


def test_a_device_lost_in_training_is_said_and_checkpoints_stay(outside, tmp_path):
    _, parallel, template = pair(dense, "two")
    parallel.compile("adam", "categorical_crossentropy")
    path = str(tmp_path / "epoch_{epoch}.h5")

    class Saved(ModelCheckpoint):
        def on_epoch_end(self, epoch, logs=None):
            template.save(path.format(epoch=epoch))
            if epoch == 1:
                outside.lost = 40

    x, y = data()
    with pytest.raises(DeviceError, match="device is lost.*Start the program again"):
        parallel.fit(x, y, batch_size=8, epochs=5, verbose=0, callbacks=[Saved(path)])
    with config.device("cpu"):
        saved = load_model(str(tmp_path / "epoch_1.h5"), compile=False)
        assert np.isfinite(saved.predict(x)).all()


def test_numbers_are_gpus_and_missing_ones_are_named(outside):
    with config.default_device("cuda-host"):
        parallel = multi_gpu_model(dense(), gpus=2)
        assert parallel.predict(data()[0]).shape == (45, 3)
        assert set(DEVICES["two"]) <= set(parallel.predict_function.program.device.split(", "))
        listed = multi_gpu_model(dense(), gpus=[2, 0])
        listed.predict(data()[0])
        assert "cuda-host:2" in listed.predict_function.program.device
        outside.devices = 2
        with pytest.raises(ValueError, match=r"cuda-host:0, cuda-host:9 are required for "
                                             r"gpus=\[0, 9\].*number 9 is required; there are 2"):
            multi_gpu_model(dense(), gpus=[0, 9])


def test_the_template_is_exported(outside, tmp_path):
    pytest.importorskip("cffi")
    _, parallel, template = pair(dense, "two")
    with pytest.raises(GraphError, match="a function on one device is required.*cuda-host:0, "
                                         "cuda-host:1.*the model that multi_gpu_model was made of"):
        parallel.export(str(tmp_path / "parallel.symk"))
    template.export(str(tmp_path / "template.symk"))
    x, _ = data()
    same([symk.deploy.load(str(tmp_path / "template.symk"))(x)], [parallel.predict(x)])


def test_stateful_layers_keep_a_state_of_their_own_size(outside):
    """As in Keras: parts of a batch do not fit the state of the whole, and that is said."""
    template = Sequential([layers.LSTM(2, stateful=True, batch_input_shape=(4, 3, 2))])
    with pytest.raises(ValueError, match="lstm"):
        multi_gpu_model(template, DEVICES["two"])


def test_loss_scales_follow_the_gradients_of_all_parts(outside):
    alone, parallel, template = pair(dense, "two")
    for model in (alone, parallel):
        model.compile(LossScaleOptimizer(SGD(0.1)), "categorical_crossentropy")
        model.fit(*data(), **FIT)
    same(template.get_weights(), alone.get_weights())
