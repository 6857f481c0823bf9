"""The door to the C++ runtime: the only file that imports `symk._core`.

Errors of the runtime arrive here as the classes of `symk.graph.errors`, with the layer and line of
the step in front.
"""
import os
import threading

from ..config import current_device, settings
from ..graph import Op, registered_ops
from ..graph.errors import DeviceError
from ..graph.node import Storage
from ..optimize.precision import set_products
from .callback import dispatch
from .cut import cut
from .legalise import legalise
from .lower import lower
from .plan import encode

try:
    from .. import _core
except ImportError as error:   # not built; said when a function is compiled
    _core, _reason = None, str(error)
else:
    _core.set_dispatcher(dispatch)
    settings.use_runtime(_core)

__all__ = ["NativeProgram", "NativeEnsemble", "NativeStorage", "kernel_names",
           "device_kernel_names", "device_bytes", "load_kernels", "core"]

_lock = threading.Lock()
_limits = {}   # number of threads -> what the machine can do with them


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


def device_kernel_names(device):
    """The names of the kernels that a device has of its own; what it lacks runs on the host.

    Raises:   DeviceError saying what is missing when there is no such device.
    """
    return frozenset(core().device_kernels(device))


def _kernels_for(device):
    """The kernels that a function on a device is made of: of those that would run on the host none
    whose op can be done by others. Loops and branches run on every device.
    """
    names = kernel_names()
    if device == "cpu":
        return names
    known = registered_ops()
    return names - {name for name in names - device_kernel_names(device)
                    if name in known and known[name].expand is not Op.expand
                    and known[name].bodies is Op.bodies}


def device_bytes(device):
    """The most bytes of a device's memory that were held since this was asked the last time."""
    return core().device_bytes(device)


def load_kernels(path):
    """Adds the kernels of a user's shared object, written with `symk_kernel.h`.

    A custom op runs by the kernel of its name, in functions that are compiled from now on.

    Raises:   OSError when it cannot be opened; GraphError when it takes a name of symk's.
    """
    core().load_kernels(os.path.abspath(os.fspath(path)))


def machine_limits():
    """What this machine can do at best, measured once: flops_per_s, bytes_per_s, threads."""
    threads = core().threads()
    if threads not in _limits:
        _limits[threads] = core().limits()
    return _limits[threads]


class NativeStorage:
    """Where the value of a Shared lives once a native function uses it; as `graph.node.Storage`."""

    __slots__ = ("tensor", "read", "write")

    def __init__(self, value):
        zeros = not any(value.strides) and value.size > 1 and not any(value.flat[0].tobytes())
        self.tensor = (core().Tensor.zeros(value, value.shape) if zeros
                       else core().Tensor(value))
        self.read = self.tensor.read
        self.write = self.tensor.write

    @property
    def version(self):
        return self.tensor.version

    def __reduce__(self):
        """Copies and pickles have the value, in the memory of Python until it is used again."""
        return Storage, (self.read(),)


class NativeProgram:
    """A Plan, loaded: `run(arrays)` gives the outputs as new arrays and does the updates."""

    def __init__(self, request, check_nan=False, device=None):
        self.device = current_device() if device is None else device
        request = request.with_results(legalise(request.results, _kernels_for(self.device)))
        self.plan, self.shared = lower(request, keep_operands=check_nan)
        self.bytes = encode(self.plan)
        self._program = core().Program(self.bytes, [_tensor(shared) for shared in self.shared],
                                       self.device)
        self.run = self._program.run
        self.run_batch = self._program.run_batch
        self.parts = self._program.parts
        self.moves_arrays = self.device != "cpu"
        self.prefetch = self._program.prefetch if self.moves_arrays else None
        self.memory = self._program.memory
        self.profile = self._program.profile
        self.times = self._program.times
        self.timed_calls = self._program.timed_calls
        self.last_shapes = self._program.last_shapes
        self.limits = machine_limits
        self._program.check_finite(check_nan)
        self._program.replay(settings.replay)
        self._program.use_compiler(settings.nvrtc)
        self._program.use_warp_groups(settings.wgmma)
        self._program.use_branches(settings.branches)


class NativeEnsemble:
    """The sections of a function on several devices, loaded; runs as a NativeProgram does.

    Args:     request: as `place` has prepared it. device: where results are that no node makes.
              products: how the sections compute matrix products.
    """

    def __init__(self, request, check_nan, device, products):
        sections, outputs = cut(request, device)
        self.programs = [NativeProgram(_with_products(section, products), check_nan,
                                       section.device) for section in sections]
        given = [(program._program, section.sources)
                 for program, section in zip(self.programs, sections)]
        self._ensemble = core().Ensemble(given, len(request.inputs), outputs)
        self.run = self._ensemble.run
        self.run_batch = self._ensemble.run_batch
        self.prefetch = self._ensemble.prefetch if self._ensemble.moves_ahead else None
        self.titles = ["section %d on %s%s" % (number, program.device, ", ahead" if ahead else "")
                       for number, (program, ahead) in enumerate(zip(self.programs,
                                                                     self._ensemble.ahead))]

    @property
    def device(self):
        """The names of its devices."""
        return ", ".join(sorted({program.device for program in self.programs}))

    def profile(self, on):
        """As of a program, for all sections."""
        for program in self.programs:
            program.profile(on)


def _with_products(section, products):
    """The request of a section; the host has no products of tf32 and computes in float32."""
    on_cpu = section.device == "cpu"
    if products == "float32" or (on_cpu and products == "tf32"):
        return section.request
    results, _ = set_products(section.request.results, products, on_cpu)
    return section.request.with_results(results)


def _tensor(shared):
    """The native tensor of a Shared; its storage moves there when it is first asked for."""
    with _lock:
        if not isinstance(shared.storage, NativeStorage):
            shared.storage = NativeStorage(shared.storage.peek())
        return shared.storage.tensor
