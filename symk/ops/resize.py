"""Images and volumes made larger: compositions of ops that copy and weigh elements."""
import numpy as np

from ..graph import ShapeError
from .checks import NUMBERS, axis_in, need_dtype, whole
from .convert import as_variable
from .shape import concat, expand_dims, reshape

__all__ = ["LARGEST_FACTOR", "interpolate"]

LARGEST_FACTOR = 2 ** 16    # so many weights are part of the graph


def interpolate(x, factor, axis):
    """Linear interpolation along an axis, as Keras 2.3's bilinear up-sampling has it: the result i
    is at position i / factor of x, and what is behind the last element is like it.

    Shapes:   x (..., n, ...) -> (..., n * factor, ...).  Dtypes: float -> same, integers
              -> floatx's.
    Raises:   ShapeError for a factor out of 1 to 2**16; DtypeError for other dtypes.
    """
    x, factor = as_variable(x), whole("interpolate", "a factor", factor)
    axis = axis_in("interpolate", axis, x.ndim)
    need_dtype("interpolate", "x", x.type, NUMBERS)
    if not 1 <= factor <= LARGEST_FACTOR:
        raise ShapeError("[interpolate] a factor must be from 1 to %d; %r was given."
                         % (LARGEST_FACTOR, factor))
    before = (np.s_[:],) * axis
    following = concat([x[before + np.s_[1:,]], x[before + np.s_[-1:,]]], axis)
    following = reshape(following, x.shape)     # as large as x, which unknown sizes do not say
    weights = (np.arange(factor) / factor).reshape((-1,) + (1,) * (x.ndim - 1 - axis))
    apart = expand_dims(x, axis + 1) + expand_dims(following - x, axis + 1) * weights
    return reshape(apart, x.shape[:axis] + (x.shape[axis] * factor,) + x.shape[axis + 1:])
