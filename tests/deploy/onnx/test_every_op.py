"""Each op of symk on its own samples: ONNX Runtime gives what NumPy's meaning gives."""
import importlib.util
import pathlib

import numpy as np
import pytest

from symk.compile import function
from symk.deploy import to_onnx
from symk.graph import GraphError

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
_PLACE = pathlib.Path(__file__).resolve().parents[2] / "ops" / "test_every_op.py"
_SPEC = importlib.util.spec_from_file_location("op_samples", _PLACE)
samples = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(samples)

# What has no form in ONNX: gradients, random numbers, sparse matrices, and what runs by the data.
NO_FORM = {
    "average_pool_grad", "max_pool_grad", "max_pool_pick", "conv_grad_kernel", "csr_matmul",
    "csr_rows", "csr_to_dense", "ctc_beam_search", "ctc_greedy_decode", "cut_padding", "erfinv",
    "print", "random_bernoulli", "random_integers", "random_normal", "random_truncated_normal",
    "random_uniform"}
# Loops of no steps are ONNX's, but ONNX Runtime refuses them.
NO_STEPS = {("scan", 3), ("cumprod", 5), ("linear_recurrence", 3), ("rnn_sequence", 5),
            ("rnn_sequence_grad", 4), ("lstm_sequence", 5), ("lstm_sequence_grad", 3),
            ("gru_sequence", 6)}
NAN_ORDER = {("top_k", 7)}        # where NaN stands among numbers, ONNX does not say
OF_NOTHING = {("top_k", 6), ("matmul", 9)}       # of which ONNX Runtime 1.19 dies
STEPS_BETWEEN = {("slice_grad", 0), ("slice_grad", 1)}
ROUNDED = {case for case in samples.CASES if samples.OPS[case[0]].samples[case[1]].attributes.get(
    "products") == "bfloat16"}
CASES = [case for case in samples.CASES if case[0] not in NO_FORM
         and case not in NO_STEPS | NAN_ORDER | OF_NOTHING | STEPS_BETWEEN | ROUNDED]
# Of the largest value: rounding of float32, in another order of sums. Exponentials of logarithms
# of some hundred have it a hundred times.
TOLERANCE = {"ctc_loss_grad": 1e-4}
USUAL = 4e-6


@pytest.mark.parametrize("name, row", CASES)
def test_an_op_has_the_same_values(name, row, run_onnx):
    sample = samples.OPS[name].samples[row]
    arrays = samples.arrays_of(name, sample, samples.main_dtype(name, sample))
    inputs, outputs = samples.build(name, sample, arrays)
    compare(inputs, outputs, arrays, run_onnx, TOLERANCE.get(name, USUAL))


@pytest.mark.parametrize("name, row", [
    case for case in CASES if samples.OPS[case[0]].kind in ("elementwise", "reduce", "shape",
                                                            "index", "softmax", "cumulative")])
def test_an_op_of_unknown_sizes_has_the_same_values(name, row, run_onnx):
    sample = samples.OPS[name].samples[row]
    arrays = samples.arrays_of(name, sample, samples.main_dtype(name, sample))
    inputs, outputs = samples.build(name, sample, arrays, symbolic=True)
    compare(inputs, outputs, arrays, run_onnx, USUAL)


def compare(inputs, outputs, arrays, run_onnx, tolerance):
    """ONNX Runtime against the meanings in NumPy."""
    computed = function(inputs, outputs, mode="reference")
    with np.errstate(all="ignore"):
        expected = computed.run(arrays)
    for got, wanted in zip(run_onnx(to_onnx(computed), arrays), expected):
        assert got.dtype == wanted.dtype and got.shape == wanted.shape
        finite = np.abs(wanted[np.isfinite(wanted)].astype("float64"))
        np.testing.assert_allclose(got, wanted, rtol=0,
                                   atol=tolerance * np.max(finite, initial=1e-3))


@pytest.mark.parametrize("name", sorted(NO_FORM))
def test_an_op_without_a_form_is_refused_by_name(name):
    sample = samples.OPS[name].samples[0]
    arrays = samples.arrays_of(name, sample, samples.main_dtype(name, sample))
    computed = function(*samples.build(name, sample, arrays), mode="reference")
    with pytest.raises(GraphError, match=r"\[to_onnx\] every op must have a form in ONNX; for "
                                         + name):
        to_onnx(computed)


@pytest.mark.parametrize("name, row", sorted(ROUNDED)[::7])
def test_products_of_bfloat16_are_refused(name, row):
    sample = samples.OPS[name].samples[row]
    arrays = samples.arrays_of(name, sample, "float32")
    computed = function(*samples.build(name, sample, arrays), mode="reference")
    with pytest.raises(GraphError, match=r"\[to_onnx\] every op must have a form in ONNX"):
        to_onnx(computed)
