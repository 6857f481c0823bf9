"""Files that are always the old or the new one, never a half."""
import contextlib
import os
import tempfile

__all__ = ["replacing"]


@contextlib.contextmanager
def replacing(path):
    """Gives a temporary path in the folder of `path`; at the end the file there replaces `path`.

    The data are on the disk before the name changes. If the block fails, `path` stays as it was
    and the temporary file is removed.
    """
    path = os.path.abspath(os.fspath(path))
    folder = os.path.dirname(path)
    handle, temporary = tempfile.mkstemp(prefix=".%s." % os.path.basename(path), dir=folder)
    os.close(handle)
    try:
        yield temporary
        _copy_mode(path, temporary)
        _sync(temporary)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    _sync(folder)


def _copy_mode(path, temporary):
    """The permissions of the old file, or those of any new one."""
    if os.path.exists(path):
        mode = os.stat(path).st_mode & 0o777
    else:
        mask = os.umask(0)
        os.umask(mask)
        mode = 0o666 & ~mask
    os.chmod(temporary, mode)


def _sync(path):
    """Waits until a file or a folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
