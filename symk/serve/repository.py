"""The models that are served: found in files and folders, loaded, and replaced by newer versions.

A path is a file, which is version 1 of the model of its name; a folder with folders of numbers,
which are the versions of one model, NAME/3/model.symk; or a folder of such folders. `refresh` looks
again: a new version is loaded beside the old one, which leaves when the new one answers. A file
that cannot be loaded changes nothing but the status of its version. Of a file's functions those are
served that change no state.
"""
import os
import threading
import typing

from ..deploy.loader import load
from .batching import keeps_rows_apart, trial

__all__ = ["Repository", "Servable", "Version"]

SUFFIX = ".symk"


class Servable(typing.NamedTuple):
    """A loaded file: {name: function}, and the names of those whose rows may be run together."""

    functions: dict
    batchable: frozenset


class Version:
    """One version of a model: `state` is one of TensorFlow Serving's words, `servable` what answers
    while it is AVAILABLE, `error` why it does not."""

    def __init__(self, number, path, stamp):
        self.number, self.path, self.stamp = number, path, stamp
        self.state, self.error, self.servable = "START", "", None


class Repository:
    """Models by name.

    Args:
        paths: files and folders, each also as NAME=PATH.
        keep: how many versions of a model answer, the latest ones.
        kernels: shared objects with the kernels of custom ops.
    Raises:   ValueError when two paths give models of one name, or a path gives none; OSError when
              it does not exist.
    """

    def __init__(self, paths, keep=1, kernels=()):
        self._paths = [_named(path) for path in paths]
        self._keep, self._kernels = keep, tuple(kernels)
        self._models = {}            # name -> {number: Version}
        self._lock = threading.Lock()
        for _, path in self._paths:
            os.stat(path)
        if not self._found():
            raise ValueError("[serve] a model is required: a file of `symk export`, a folder "
                             "NAME/VERSION/model%s, or a folder of such folders; %s has none."
                             % (SUFFIX, ", ".join(path for _, path in self._paths)))

    @property
    def names(self):
        """The names of the models, sorted."""
        return sorted(self._models)

    def versions(self, name):
        """All known versions of a model, the latest first; None for an unknown name."""
        versions = self._models.get(name)
        if versions is None:
            return None
        return [versions[number] for number in sorted(versions, reverse=True)]

    def find(self, name, number=None):
        """The version that answers: the one asked for, or the latest; None if there is none."""
        for version in self.versions(name) or ():
            if version.state == "AVAILABLE" and number in (None, version.number):
                return version
        return None

    @property
    def is_ready(self):
        """Whether every model has a version that answers."""
        return bool(self._models) and all(self.find(name) for name in self._models)

    def refresh(self):
        """Loads new versions and lets old ones go. One thread at a time does so.

        Models whose files are gone answer on: a folder may be empty for a moment.

        Returns:  [(name, version)] of those that were loaded, or that failed to load.
        """
        with self._lock:
            tried = []
            for name, files in self._found().items():
                versions = {}
                for number in sorted(files, reverse=True):
                    path, stamp = files[number]
                    old = self._models.get(name, {}).get(number)
                    if old is None or old.stamp != stamp:
                        old = self._loaded(Version(number, path, stamp), old)
                        tried.append((name, old))
                    versions[number] = old
                    answering = [v for v in versions.values() if v.state == "AVAILABLE"]
                    if len(answering) == self._keep:
                        break
                self._models[name] = versions
            return tried

    def _loaded(self, version, old):
        """A version that was tried to load. If a file was replaced by one that is wrong, the old
        content answers on; one that was written over is gone, as files are mapped."""
        version.state = "LOADING"
        try:
            model = load(version.path, kernels=self._kernels)
            functions = {name: function for name, function in model.functions.items()
                         if not _changes_states(function)}
            if not functions:
                raise ValueError("[serve] a function that changes no state is required; all of %s "
                                 "do." % version.path)
        except (OSError, ValueError, RuntimeError, TypeError, MemoryError) as error:
            version.error = str(error)
            if old is not None and old.stamp[0] != (version.stamp or (None,))[0]:
                version.servable = old.servable
            version.state = "END" if version.servable is None else "AVAILABLE"
            return version
        version.servable = Servable(functions, frozenset(
            name for name, function in functions.items() if keeps_rows_apart(function)))
        version.state = "AVAILABLE"
        return version

    def _found(self):
        """{name: {number: (path, stamp)}} of the files that are there now."""
        found = {}
        for name, path in self._paths:
            for model, files in _models_at(name, path).items():
                if model in found:
                    raise ValueError("[serve] each model needs a name of its own; two are called "
                                     "%r. Use NAME=PATH." % model)
                found[model] = files
        return found


def _changes_states(function):
    """Whether a function changes what later calls read, as a training step does; a trial shows it.

    Clients must not change what others get. What cannot be tried counts as such.
    """
    before = {name: function.get_state(name) for name in function.states}
    if not before:
        return False
    try:
        function.run(trial(function))
    except (ValueError, TypeError, IndexError, FloatingPointError, RuntimeError):
        return True
    changed = [name for name, value in before.items()
               if function.get_state(name).tobytes() != value.tobytes()]
    for name in changed:
        function.set_state(name, before[name])
    return bool(changed)


def _named(path):
    """(name or None, path) of PATH or NAME=PATH."""
    path = os.fspath(path)
    name, equals, rest = path.partition("=")
    if equals and not os.path.exists(path) and "/" not in name:
        return name, rest
    return None, path


def _models_at(name, path):
    """{name: {number: (path, stamp)}} of a file or folder."""
    if os.path.isfile(path):
        stem = os.path.splitext(os.path.basename(path))[0]
        return {name or stem: {1: (path, _stamp(path))}}
    versions = _versions_in(path)
    if versions:
        return {name or os.path.basename(os.path.abspath(path)): versions}
    inside = ((entry, _versions_in(os.path.join(path, entry))) for entry in _entries(path))
    return {entry: versions for entry, versions in inside if versions}


def _versions_in(folder):
    """{number: (path, stamp)} of the folders of numbers that hold a model."""
    versions = {}
    for entry in _entries(folder):
        if entry.isascii() and entry.isdigit():
            files = [file for file in _entries(os.path.join(folder, entry))
                     if file.endswith(SUFFIX)]
            if files:
                path = os.path.join(folder, entry, sorted(files)[0])
                versions[int(entry)] = (path, _stamp(path))
    return versions


def _entries(folder):
    """What a folder holds but for hidden things; nothing if it is none."""
    try:
        return sorted(entry for entry in os.listdir(folder) if not entry.startswith("."))
    except (NotADirectoryError, FileNotFoundError):
        return []


def _stamp(path):
    """What changes when a file is replaced; None if it is gone."""
    try:
        facts = os.stat(path)
    except FileNotFoundError:
        return None
    return facts.st_ino, facts.st_size, facts.st_mtime_ns
