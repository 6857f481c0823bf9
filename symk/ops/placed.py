"""What functions on several devices are made with: a value on a device, and a part of a batch that
must have rows.

`placed` stands between a value and those who read it on a device of their own: `compile/place.py`
puts it into the graph, `compile/cut.py` takes it out again, and nothing between looks through it:
no rule joins what runs on different devices.
"""
from ..graph import apply, op
from .checks import at_least, need_axes
from .samples import sample
from .shape import Identity

__all__ = ["placed", "with_rows"]


@op("placed", kind="shape")
class Placed(Identity):
    """x, on a device.  Shapes: x -> same.  Dtypes: any -> same."""

    device: str = "cpu"


@op("with_rows", kind="shape")
class WithRows(Identity):
    """x, which has at least one row.  Shapes: x (n, ...) -> same.  Dtypes: any -> same."""

    def infer(self, x):
        need_axes(self.name, (0,), x.ndim)
        at_least(self.name, x.shape[0], 1, "each device must have a row of a batch in training, as "
                 "layers take statistics of its part; a part is %r. Choose larger batches, or a "
                 "number of samples whose last batch has a row for each" % (x,))
        return x

    samples = [sample((3, 4)), sample((1,))]
    bad = [sample((0, 4), error="each device must have a row"),
           sample((), error="axis 0 is outside rank 0")]


def with_rows(x):
    """x, which must have a row when the function is called."""
    return apply(WithRows(), x)


def placed(x, device):
    """x on a device, by its numbered name.  Shapes: x -> same.  Dtypes: any -> same."""
    return apply(Placed(device), x)
