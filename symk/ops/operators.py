"""Gives Variable its operators. `==` and `!=` stay identity: Variables are keys of dicts."""
from ..graph import GraphError, Variable
from .elementwise import (abs, add, div, floor_div, greater, greater_equal, less, less_equal, mod,
                          mul, neg, pow, sub)
from .index import getitem
from .linalg import matmul
from .shape import stack

__all__ = []


def _reflected(function):
    """b op a, for a value b that is no Variable."""
    def method(self, other):
        return function(other, self)
    return method


def _forward(function):
    """A plain function as a method."""
    def method(self, *others):
        return function(self, *others)
    return method


def _iterate(self):
    return (getitem(self, k) for k in range(len(self)))


def _stacked(values):
    """A list of Variables, numbers and such lists as one Variable."""
    return stack([_stacked(v) if isinstance(v, (list, tuple)) else v for v in values])


def _array(self, dtype=None, copy=None):
    """NumPy would else take a Variable for a sequence, and make a node for each element."""
    raise GraphError("[graph] a symbolic tensor has no value while the graph is built; %r was used "
                     "as an array. Evaluate it by a function, or join tensors by stack." % (self,))


_BINARY = {"add": add, "sub": sub, "mul": mul, "truediv": div, "floordiv": floor_div, "mod": mod,
           "pow": pow, "matmul": matmul}
_OTHERS = {"neg": neg, "abs": abs, "lt": less, "le": less_equal, "gt": greater,
           "ge": greater_equal, "getitem": getitem}

for _name, _function in _BINARY.items():
    setattr(Variable, "__%s__" % _name, _forward(_function))
    setattr(Variable, "__r%s__" % _name, _reflected(_function))
for _name, _function in _OTHERS.items():
    setattr(Variable, "__%s__" % _name, _forward(_function))
Variable.__iter__ = _iterate
Variable.stacked = staticmethod(_stacked)
Variable.__array__ = _array
Variable.__array_ufunc__ = None     # so that array * variable asks the Variable
