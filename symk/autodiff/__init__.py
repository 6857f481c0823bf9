"""Derivatives, graph in and graph out. `verify` checks them by differences."""
from .forward import hessian_vector, jvp
from .jacobian import jacobian
from .reverse import grad

__all__ = ["grad", "jvp", "hessian_vector", "jacobian"]
