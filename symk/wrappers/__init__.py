"""symk's models under the interfaces of other libraries."""
from . import scikit_learn

__all__ = ["scikit_learn"]
