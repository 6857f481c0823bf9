"""What ONNX's Resize and Pad mean where elements are taken from other places: for each axis the
places that the results come from, computed in float32 as ONNX Runtime does, and gathers at them.
"""
import fractions

import numpy as np

from ... import ops
from ...graph import GraphError, dims
from ...graph import dtype as dtypes
from .meanings import number_of, numbers_of
from .table import meaning
from .writer import to_first, to_last

__all__ = []

_CENTRED = ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel")
_PLACES = _CENTRED + ("align_corners", "asymmetric")
_ROUNDING = {
    "round_prefer_floor": lambda x: ops.ceil(x - 0.5), "floor": ops.floor, "ceil": ops.ceil,
    "round_prefer_ceil": lambda x: ops.floor(x + 0.5)}
_LARGEST_DIVISOR = 1024     # of a factor: sizes up to 2**14 times it are exact in float32


@meaning("Resize")
def _resize(r, a, x, roi=None, scales=None, sizes=None):
    """Axis by axis: the nearest element, or sums of neighbours."""
    a.need("mode", "nearest", "linear", "cubic")
    a.need("keep_aspect_ratio_policy", "stretch")
    a.need("coordinate_transformation_mode", *_PLACES)
    a.need("nearest_mode", *_ROUNDING)
    a.need("antialias", 0)
    mode = a("mode", "nearest")
    if mode != "nearest" and not dtypes.is_float(x.dtype):
        raise GraphError("resizing by %s sums must be of floats; it is of %s." % (mode, x.dtype))
    axes = [axis % x.ndim for axis in a("axes", range(x.ndim))]
    new = {axis: (size, scale) for axis, (size, scale)
           in zip(axes, _sizes(a, x, axes, scales, sizes))
           if size != x.shape[axis] or scale not in (None, 1)}
    last = x.ndim > 2 and all(axis > 1 for axis in new)
    x = ops.transpose(x, to_last(x.ndim)) if last else x
    for axis, (size, scale) in new.items():
        x = _along(a, x, axis - last, size, scale)
    return ops.transpose(x, to_first(x.ndim)) if last else x


def _sizes(a, x, axes, scales, sizes):
    """(size, scale or None for their quotient) of the result along the axes."""
    if scales is None or scales.type.size == 0:
        return [(size, None) for size in ops.as_sizes(sizes)]
    scales = numbers_of(scales, "the scales")
    if a("coordinate_transformation_mode") == "align_corners" and not all(
            _is_whole(x.shape[axis], scale) for axis, scale in zip(axes, scales)):
        # Where the last corner is, ONNX and ONNX Runtime do not agree upon.
        raise GraphError("align_corners must have scales that give whole sizes. Give sizes.")
    return [(_scaled(x.shape[axis], scale), scale) for axis, scale in zip(axes, scales)]


def _is_whole(size, scale):
    """Whether a size is a whole number after it is scaled."""
    if isinstance(size, dims.Dim):
        return scale == int(scale)
    scaled = np.float32(size) * np.float32(scale)
    return scaled == int(scaled)


def _scaled(size, scale):
    """The size that ONNX Runtime computes in float32."""
    if not scale > 0:
        raise GraphError("scales must be positive; %g is not." % scale)
    if not isinstance(size, dims.Dim):
        return int(np.float32(size) * np.float32(scale))
    factor = fractions.Fraction(scale)
    if factor.denominator > _LARGEST_DIVISOR:
        raise GraphError("the scale of an open size must be a fraction with a small power of 2 "
                         "below; it is %g. Give sizes." % scale)
    return dims.floor_div(size * factor.numerator, factor.denominator)


def _along(a, x, axis, size, scale):
    """x with another size of one axis."""
    mode, places = a("mode", "nearest"), a("coordinate_transformation_mode", "half_pixel")
    rounding = a("nearest_mode", "round_prefer_floor")
    times = _times(x.shape[axis], size, scale)
    if mode == "nearest" and times and (
            places in _CENTRED and rounding in ("round_prefer_floor", "round_prefer_ceil")
            or (places, rounding) == ("asymmetric", "floor")):
        return ops.repeat(x, times, axis)
    if mode == "linear" and times and places == "asymmetric":
        return ops.interpolate(x, times, axis)
    found = _places(places, x.shape[axis], size, scale)
    if mode == "nearest":
        return _taken(x, _ROUNDING[rounding](found), axis)
    if mode == "linear":
        a.need("exclude_outside", 0)
        return _linear(x, found, axis)
    return _cubic(a, x, found, axis)


def _times(old, new, scale):
    """The whole number that a size is multiplied by, or None."""
    if scale is not None:
        return int(scale) if scale == int(scale) else None
    times = dims.floor_div(new, old) if old != 0 else 1
    return times if not isinstance(times, dims.Dim) and times >= 1 and old * times == new else None


def _places(mode, old, new, scale):
    """Where in an axis the elements of the new one come from: a float32 vector."""
    here = ops.cast(ops.arange(new), "float32")
    length, wanted = _number(old), _number(new)
    if mode == "align_corners":
        return here * (length - 1) / ops.maximum(wanted - 1, 1)
    scale = wanted / length if scale is None else ops.constant(np.float32(scale))
    if mode == "asymmetric":
        return here / scale
    middle = (here + 0.5) / scale
    if mode == "half_pixel_symmetric":
        return length / 2 * (1 - wanted / (scale * length)) + middle - 0.5
    if mode == "pytorch_half_pixel":
        return ops.where(wanted > 1, middle - 0.5, 0)
    return middle - 0.5


def _number(size):
    """A size in float32."""
    return ops.cast(ops.size_of(size), "float32")


def _taken(x, places, axis):
    """The elements at places, of which those outside are the first or the last one."""
    inside = ops.clip(places, 0, _number(x.shape[axis]) - 1)
    return ops.gather(x, ops.cast(inside, "int64"), axis)


def _as_axis(weights, x, axis):
    """A vector along an axis of x."""
    return ops.cast(ops.reshape(weights, (-1,) + (1,) * (x.ndim - 1 - axis)), x.dtype)


def _linear(x, places, axis):
    places = ops.clip(places, 0, _number(x.shape[axis]) - 1)
    first = ops.floor(places)
    share = _as_axis(places - first, x, axis)
    return _taken(x, first, axis) * (1 - share) + _taken(x, first + 1, axis) * share


def _cubic(a, x, places, axis):
    """Keys 1981, "Cubic convolution interpolation for digital image processing", eq. 15."""
    c = a("cubic_coeff_a", -0.75)
    first = ops.floor(places)
    share = places - first

    def near(d):     # at a distance up to 1
        return ((c + 2) * d - (c + 3)) * d * d + 1

    def far(d):      # from 1 to 2
        return ((c * d - 5 * c) * d + 8 * c) * d - 4 * c

    taps = [(first - 1, far(share + 1)), (first, near(share)), (first + 1, near(1 - share)),
            (first + 2, far(2 - share))]
    if a("exclude_outside", 0):
        end = _number(x.shape[axis])
        taps = [(place, ops.where(ops.logical_and(place >= 0, place < end), weight, 0))
                for place, weight in taps]
        total = taps[0][1] + taps[1][1] + taps[2][1] + taps[3][1]
        taps = [(place, weight / total) for place, weight in taps]
    parts = [_taken(x, place, axis) * _as_axis(weight, x, axis) for place, weight in taps]
    return parts[0] + parts[1] + parts[2] + parts[3]


# --- padding ---

@meaning("Pad")
def _pad(r, a, x, pads, value=None, axes=None):
    """With a value; or with elements of x: those at its edge, mirrored, or from the other end."""
    mode = a("mode", "constant")
    a.need("mode", "constant", *_INSIDE)
    widths = ops.as_sizes(pads)
    axes = range(x.ndim) if axes is None else [axis % x.ndim for axis in ops.as_sizes(axes)]
    before, after = [0] * x.ndim, [0] * x.ndim
    for axis, first, last in zip(axes, widths, widths[len(widths) // 2:]):
        before[axis], after[axis] = first, last
    if mode == "constant":
        return ops.pad(x, before, after, 0 if value is None else number_of(value, "the value"))
    for axis, (first, last) in enumerate(zip(before, after)):
        if isinstance(first, dims.Dim) or isinstance(last, dims.Dim) or first or last:
            size = x.shape[axis]
            places = ops.arange(size + first + last, dtype="int64") - ops.size_of(first)
            x = ops.gather(x, _INSIDE[mode](places, ops.size_of(size)), axis)
    return x


def _mirrored(places, size):
    around = ops.maximum(2 * (size - 1), 1)
    places = ops.mod(places, around)
    return ops.minimum(places, around - places)


_INSIDE = {"edge": lambda places, size: ops.clip(places, 0, size - 1),
           "wrap": ops.mod, "reflect": _mirrored}
