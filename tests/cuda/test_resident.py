"""Sequences that are one launch over all steps: the weights of the states stay in the blocks, which
wait for each other. The stand-in runs a block as far as it gets before the next one, so that a
block that does not wait reads what others have not written."""
import numpy as np
import pytest

from symk import autodiff, ops
from symk.compile import function
from symk.graph import Placeholder
from symk.graph.reference import evaluate

ERROR = 4e-6        # of the largest number: sums of 600 terms, over a few steps
KINDS = ["simple", "lstm", "gru_after", "gru_before"]
GATES = {"simple": 1, "lstm": 4, "gru_after": 3, "gru_before": 3}


def graph(kind, batch, time, units, mask=False, reverse=False):
    """(placeholders, states and their gradients) of one sequence."""
    gates = GATES[kind]
    shapes = [(batch, time, gates * units), (units, gates * units), (batch, units)]
    shapes += [(batch, units)] if kind == "lstm" else []
    shapes += [(3 * units,)] if kind == "gru_after" else []
    inputs = [Placeholder("float32", shape) for shape in shapes]
    masks = [Placeholder("bool", (batch, time))] if mask else []
    attributes = {"reverse": reverse, "mask": masks[0] if mask else None}
    if kind == "simple":
        every, *last = ops.rnn_sequence(*inputs, **attributes)
    elif kind == "lstm":
        every, *last = ops.lstm_sequence(*inputs, **attributes)
    else:
        every, *last = ops.gru_sequence(*inputs, **attributes)
    loss = ops.sum(ops.square(every)) + ops.sum(ops.sin(last[0])) + ops.sum(last[-1])
    return inputs + masks, [every, *last, *autodiff.grad(loss, inputs)]


def arrays_for(inputs, seed=0):
    generator = np.random.default_rng(seed)
    arrays = []
    for x in inputs:
        if x.dtype == "bool":
            arrays.append(generator.random(x.type.shape) < 0.6)
        else:
            size = 1 / np.sqrt(x.type.shape[0]) if len(x.type.shape) == 2 else 1.0
            arrays.append((generator.standard_normal(x.type.shape) * size).astype("float32"))
    return arrays


def agree(actual, wanted, error=ERROR):
    for value, other in zip(actual, wanted):
        scale = np.max(np.abs(other), initial=1e-3)
        np.testing.assert_allclose(value, other, rtol=0, atol=error * scale)


def check(kind, batch, time, units, launches=True, **attributes):
    """The device's results beside NumPy's, of two calls with different arrays; what it said."""
    inputs, outputs = graph(kind, batch, time, units, **attributes)
    run = function(inputs, outputs)
    for seed in range(2):
        arrays = arrays_for(inputs, seed)
        agree(run.run(arrays), evaluate(outputs, dict(zip(inputs, arrays))))
    said = run.show("device")
    assert ("all steps in one launch" in said) == launches, said
    return said


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("units", [1, 7, 8, 31, 33, 64, 127, 129])
def test_units_around_a_share(on_device, kind, units):
    check(kind, 3, 3, units)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch", [1, 12, 15, 16, 17, 25, 40])
def test_rows_around_what_is_multiplied_at_once(on_device, kind, batch):
    check(kind, batch, 2, 36)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reverse", [False, True])
def test_masks(on_device, kind, reverse):
    check(kind, 5, 6, 70, mask=True, reverse=reverse)


@pytest.mark.parametrize("kind, time", [(kind, time) for kind in KINDS for time in (0, 1)])
def test_sequences_of_no_step_and_of_one(on_device, kind, time):
    check(kind, 4, time, 20)


@pytest.mark.parametrize("kind, units", [("simple", 600), ("lstm", 300), ("gru_after", 700),
                                         ("gru_before", 700)])
def test_deep_products_lie_across_lanes(stand_in, kind, units):
    """A gradient of more than 1024 depths, and of more than 2048, in 16 and 32 lanes."""
    stand_in.together = 90
    check(kind, 3, 2, units)


def test_a_gradient_may_take_steps_while_the_states_do_not(stand_in):
    """700 units of a GRU are 70 blocks forward, 88 backward."""
    stand_in.together = 75
    said = check("gru_before", 2, 2, 700)
    assert "gru_sequence, all steps" in said and "gru_sequence_grad, all steps" not in said


@pytest.mark.parametrize("kind", KINDS)
def test_the_bits_do_not_depend_on_the_number_of_blocks(stand_in, kind):
    inputs, outputs = graph(kind, 7, 4, 130, mask=True)
    arrays, results, said = arrays_for(inputs), [], set()
    for together in (11, 25, 60):
        stand_in.together = together
        run = function(inputs, outputs)
        results.append([run.run(arrays), run.run(arrays)])
        said.add(run.show("device"))
    assert len(said) > 1
    for pair in results:
        for values in pair:
            for value, first in zip(values, results[0][0]):
                np.testing.assert_array_equal(value, first)


@pytest.mark.parametrize("kind", KINDS)
def test_devices_whose_blocks_cannot_wait_take_steps(stand_in, kind):
    stand_in.together = 0
    check(kind, 3, 3, 40, launches=False)


def test_large_batches_take_steps(stand_in):
    """More than 128 rows a block."""
    stand_in.together = 4
    check("simple", 512, 2, 9)
    check("simple", 516, 2, 9, launches=False)


def test_float64_takes_steps(on_device):
    x, w, h = (Placeholder("float64", shape) for shape in ((2, 3, 5), (5, 5), (2, 5)))
    run = function([x, w, h], list(ops.rnn_sequence(x, w, h)))
    run.run([np.ones(v.type.shape) for v in (x, w, h)])
    assert "one launch" not in run.show("device")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("products", ["tf32", "bfloat16", "float16"])
def test_operands_are_rounded_as_is_asked_for(on_device, kind, products):
    """A single step rounds what the reference rounds; later ones may round a state elsewhere."""
    inputs, outputs = graph(kind, 3, 1, 40)
    arrays = arrays_for(inputs)
    run = function(inputs, outputs[:2], products=products)
    actual = run.run(arrays)
    assert "all steps in one launch" in run.show("device")
    meant = function(inputs, outputs[:2], products=products, mode="reference").run(arrays)
    exact = evaluate(outputs[:2], dict(zip(inputs, arrays)))
    if kind != "gru_before":        # it rounds r * h as well, which may round to a neighbour
        agree(actual, meant)
    assert np.max(np.abs(actual[0] - meant[0])) < np.max(np.abs(exact[0] - meant[0]))


def test_a_step_and_its_gradient_are_few_launches(stand_in):
    """And as many for a longer sequence."""
    counts = []
    for time in (3, 30):
        inputs, outputs = graph("lstm", 4, time, 40)
        run, arrays = function(inputs, outputs), arrays_for(inputs)
        before = stand_in.launches
        run.run(arrays)
        counts.append(stand_in.launches - before)
    assert counts[0] == counts[1]


def test_sequences_are_replayed(stand_in):
    inputs, outputs = graph("gru_before", 4, 3, 40)
    run = function(inputs, outputs)
    before = stand_in.replays
    for seed in range(5):
        arrays = arrays_for(inputs, seed)
        agree(run.run(arrays), evaluate(outputs, dict(zip(inputs, arrays))))
    assert stand_in.replays - before == 4
