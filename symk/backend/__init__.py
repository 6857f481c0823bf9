"""K: Keras's backend functions, as thin names on the ops of symk. Everything is symbolic."""
# ruff: noqa: F403 (this file only collects names)
from . import (common, control, convolution, core, ctc, images, keras1, loops, math, nn, random,
               session, shapes, sparse)
from .common import *
from .control import *
from .convolution import *
from .core import *
from .ctc import *
from .images import *
from .keras1 import *
from .loops import *
from .math import *
from .nn import *
from .random import *
from .session import *
from .shapes import *
from .sparse import *

__all__ = [name for module in (common, control, convolution, core, ctc, images, keras1, loops, math,
                               nn, random, session, shapes, sparse) for name in module.__all__]

globals().update(keras1.accept_keras1_arguments(globals()))
