"""The door to the C++ runtime: the only file that imports `symk._core`.

Errors of the runtime arrive here as the classes of `symk.graph.errors`, with the layer and line of
the step in front.
"""
import threading

from ..graph.errors import DeviceError
from .legalise import legalise
from .lower import lower
from .plan import encode

try:
    from .. import _core
except ImportError as error:   # not built; said when a function is compiled
    _core, _reason = None, str(error)

__all__ = ["NativeProgram", "NativeStorage", "kernel_names", "core"]

_lock = threading.Lock()


def core():
    """The native module.

    Raises:   DeviceError when it is not built.
    """
    if _core is None:
        raise DeviceError('[native] the C++ runtime is required for mode "native"; it is not built '
                          '(%s). Run `pip install -e .`, or use mode "reference".' % _reason)
    return _core


def kernel_names():
    """The names of the kernels that the runtime has."""
    return frozenset(core().kernels())


class NativeStorage:
    """Where the value of a Shared lives once a native function uses it; as `graph.node.Storage`."""

    __slots__ = ("tensor", "read", "write")

    def __init__(self, value):
        self.tensor = core().Tensor(value)
        self.read = self.tensor.read
        self.write = self.tensor.write

    @property
    def version(self):
        return self.tensor.version


class NativeProgram:
    """A Plan, loaded: `run(arrays)` gives the outputs as new arrays and does the updates."""

    def __init__(self, request):
        request = request.with_results(legalise(request.results, kernel_names()))
        self.plan, self.shared = lower(request)
        self.bytes = encode(self.plan)
        self._program = core().Program(self.bytes, [_tensor(shared) for shared in self.shared])
        self.run = self._program.run
        self.memory = self._program.memory


def _tensor(shared):
    """The native tensor of a Shared; its storage moves there when it is first asked for."""
    with _lock:
        if not isinstance(shared.storage, NativeStorage):
            shared.storage = NativeStorage(shared.storage.read())
        return shared.storage.tensor
