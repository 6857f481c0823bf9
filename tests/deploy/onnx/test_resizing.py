"""Resizing, padding by elements and pools that are rounded up, read from ONNX files: the numbers
of ONNX Runtime, with sizes that are known and with open ones.
"""
import numpy as np
import pytest

from symk.deploy import from_onnx
from symk.graph import SymkError

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("symk._core")

PLACES = ["half_pixel", "pytorch_half_pixel", "half_pixel_symmetric", "align_corners",
          "asymmetric"]
# (rows, columns) before and after: larger, smaller, both, whole numbers, to and from one.
SIZES = [((5, 7), (8, 13)), ((9, 11), (4, 5)), ((6, 5), (3, 9)), ((4, 5), (8, 15)),
         ((8, 9), (4, 4)), ((5, 6), (1, 7)), ((1, 4), (3, 4))]


def single(kind, shape, operands=(), dtype="float32", **attributes):
    """A model of one node over x; its other operands are constants, None is left out."""
    helper = onnx.helper
    names = ["x"] + ["" if value is None else "v%d" % k for k, value in enumerate(operands)]
    weights = [onnx.numpy_helper.from_array(value, "v%d" % k)
               for k, value in enumerate(operands) if value is not None]
    code = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    graph = helper.make_graph(
        [helper.make_node(kind, names, ["y"], name="n", **attributes)], "g",
        [helper.make_tensor_value_info("x", code, shape)],
        [helper.make_tensor_value_info("y", code, [None] * len(shape))], weights)
    return helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 19)])


def check(x, run_onnx, kind, operands=(), tolerance=2e-6, **attributes):
    """A node with known and with open sizes; what ONNX Runtime gives."""
    wanted, = run_onnx(single(kind, x.shape, operands, x.dtype, **attributes), [x])
    named = ["size%d" % axis for axis in range(x.ndim)]
    for shape in (x.shape, named):
        got, = from_onnx(single(kind, shape, operands, x.dtype, **attributes)).run([x])
        assert got.dtype == wanted.dtype and got.shape == wanted.shape
        np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance * np.abs(x).max())


def image(rows, columns, seed=0):
    return np.random.RandomState(seed).randn(2, 3, rows, columns).astype("float32")


@pytest.mark.parametrize("old, new", SIZES)
@pytest.mark.parametrize("places", PLACES)
def test_linear_resizing(places, old, new, run_onnx):
    check(image(*old), run_onnx, "Resize", (None, None, np.array((2, 3, *new))), mode="linear",
          coordinate_transformation_mode=places)


@pytest.mark.parametrize("old, new", SIZES)
@pytest.mark.parametrize("rounding", ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
@pytest.mark.parametrize("places", PLACES)
def test_the_nearest_elements(places, rounding, old, new, run_onnx):
    check(image(*old), run_onnx, "Resize", (None, None, np.array((2, 3, *new))), mode="nearest",
          coordinate_transformation_mode=places, nearest_mode=rounding, tolerance=0)


@pytest.mark.parametrize("old, new", SIZES)
@pytest.mark.parametrize("outside", [0, 1])
@pytest.mark.parametrize("places", PLACES)
def test_cubic_resizing(places, outside, old, new, run_onnx):
    check(image(*old), run_onnx, "Resize", (None, None, np.array((2, 3, *new))), mode="cubic",
          coordinate_transformation_mode=places, exclude_outside=outside, cubic_coeff_a=-0.6,
          tolerance=5e-6)


@pytest.mark.parametrize("scales", [(2, 2), (1.5, 0.5), (0.75, 3), (1, 2.25)])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_scales_in_place_of_sizes(mode, scales, run_onnx):
    for places in PLACES:
        if places != "align_corners" or scales == (2, 2):
            check(image(7, 10), run_onnx, "Resize", (None, np.array((1, 1, *scales), "float32")),
                  mode=mode, coordinate_transformation_mode=places, tolerance=5e-6)


def test_a_scale_that_is_rounded_is_for_known_sizes(run_onnx):
    x, scales = image(10, 10), np.array((1, 1, 0.7, 1.1), "float32")
    model = single("Resize", x.shape, (None, scales), mode="linear")
    got, = from_onnx(model).run([x])
    wanted, = run_onnx(model, [x])
    assert got.shape == wanted.shape == (2, 3, 7, 11)
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5)
    with pytest.raises(SymkError, match="a fraction with a small power of 2 below; it is 0.7"):
        from_onnx(single("Resize", [2, 3, "rows", 10], (None, scales), mode="linear"))


def test_other_ranks_and_chosen_axes(run_onnx):
    x = np.random.RandomState(1).randn(2, 3, 4, 5, 6).astype("float32")
    check(x, run_onnx, "Resize", (None, None, np.array((2, 3, 7, 3, 9))), mode="linear")
    check(x[0, 0], run_onnx, "Resize", (None, None, np.array((7, 3, 9))), mode="nearest")
    check(x[0, :, 0], run_onnx, "Resize", (None, None, np.array((7, 3))), mode="linear",
          axes=[1, 2])
    check(x[0, 0, 0], run_onnx, "Resize", (None, None, np.array((5, 9))), mode="linear")


@pytest.mark.parametrize("shape", [(1, 1, 5, 4), (1, 1, "rows", 4)])
def test_corners_between_elements_are_refused(shape):
    with pytest.raises(SymkError, match="scales that give whole sizes. Give sizes"):
        from_onnx(single("Resize", shape, (None, np.array((1, 1, 1.5, 1), "float32")),
                         coordinate_transformation_mode="align_corners"))


@pytest.mark.parametrize("attributes, message", [
    ({"mode": "linear", "antialias": 1}, "antialias must be 0; it is 1"),
    ({"mode": "linear", "keep_aspect_ratio_policy": "not_larger"}, "must be 'stretch'"),
    ({"coordinate_transformation_mode": "tf_crop_and_resize"}, "coordinate_transformation_mode")])
def test_what_is_not_read_is_refused(attributes, message):
    with pytest.raises(SymkError, match=message):
        from_onnx(single("Resize", (1, 1, 4, 4), (None, None, np.array((1, 1, 2, 2))),
                         **attributes))


def test_sums_of_integers_are_refused():
    with pytest.raises(SymkError, match="by linear sums must be of floats; it is of int32"):
        from_onnx(single("Resize", (1, 1, 4, 4), (None, None, np.array((1, 1, 2, 2))), "int32",
                         mode="linear"))


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "wrap"])
@pytest.mark.parametrize("pads", [(0, 0, 1, 2, 0, 0, 3, 0), (0, 1, 0, 4, 0, 2, 0, 4)])
def test_padding(mode, pads, run_onnx):
    check(image(5, 6), run_onnx, "Pad", (np.array(pads),), mode=mode, tolerance=0)


@pytest.mark.parametrize("rows, columns", [(7, 8), (8, 9), (9, 10), (5, 4)])
@pytest.mark.parametrize("window, stride, pads", [
    (2, 2, (0, 0, 0, 0)), (3, 2, (0, 0, 0, 0)), (3, 2, (1, 1, 1, 1)), (3, 3, (1, 0, 0, 1)),
    (2, 3, (0, 0, 1, 1))])
def test_pools_that_are_rounded_up(window, stride, pads, rows, columns, run_onnx):
    shape = {"kernel_shape": [window] * 2, "strides": [stride] * 2, "pads": pads, "ceil_mode": 1}
    check(image(rows, columns), run_onnx, "MaxPool", **shape, tolerance=0)
    for counted in (0, 1):
        check(image(rows, columns), run_onnx, "AveragePool", **shape, count_include_pad=counted)
