"""Files from the network, kept in Keras's cache: checked by their hash, unpacked safely.

The cache is that of Keras (`~/.keras`, or the folder that KERAS_HOME names), so a file that Keras
has downloaded is not downloaded again.
"""
import hashlib
import os
import shutil
import tempfile
import warnings

from .. import renames
from ..files import replacing
from .progress import Progbar

__all__ = ["get_file", "validate_file", "cache_folder"]

_CHUNK = 1 << 16
_PATIENCE_S = 30    # how long a server may say nothing; a network without a way out never answers
_HASHES = {32: "md5", 64: "sha256"}    # number of hexadecimal digits -> algorithm


def cache_folder(subdir="", base=None):
    """A folder of Keras's cache, made if it is not there.

    Args:
        subdir: "datasets", "models", ...
        base: the cache; None for KERAS_HOME, or ~/.keras, or the temporary folder where that
            cannot be written.
    """
    if base is None:
        base = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
    base = os.path.expanduser(os.fspath(base))
    if os.path.exists(base) and not os.access(base, os.W_OK):
        base = os.path.join(tempfile.gettempdir(), ".keras")
    folder = os.path.join(base, subdir)
    os.makedirs(folder, exist_ok=True)
    return folder


@renames.accepts("validate_file")
def validate_file(fpath, file_hash, algorithm="auto", chunk_size=65535):
    """Whether a file has a hash.

    Args:
        file_hash: hexadecimal digits.
        algorithm: "md5", "sha256", or "auto", which counts the digits.
        chunk_size: bytes read at a time.
    """
    name = _algorithm(file_hash, algorithm)
    with open(fpath, "rb") as file:
        return _digest(iter(lambda: file.read(chunk_size), b""), name) == file_hash.lower()


def get_file(fname, origin, untar=False, md5_hash=None, file_hash=None, cache_subdir="datasets",
             hash_algorithm="auto", extract=False, archive_format="auto", cache_dir=None):
    """The path of a file in the cache; it is downloaded when it is not there, or not the same.

    Args:
        fname: the name in the cache, or an absolute path.
        origin: the address.
        untar: Keras 1's way to unpack: `fname` + ".tar.gz" is unpacked to `fname`, whose path is
            returned.
        md5_hash, file_hash, hash_algorithm: what the file must have; a file with another hash is
            downloaded again, and a download with another hash is not kept. Where there is no
            network, the file that is there is used with a warning: a person has put it there.
        cache_subdir, cache_dir: see `cache_folder`.
        extract: whether an archive is unpacked beside itself.
        archive_format: "auto", "tar", "zip", a list of these, or None.
    Raises:   OSError when it cannot be downloaded: the message says which file to put where.
    """
    if file_hash is None and md5_hash is not None:
        file_hash, hash_algorithm = md5_hash, "md5"
    folder = cache_folder(cache_subdir, cache_dir)
    target = os.path.join(folder, fname)
    path = target + ".tar.gz" if untar else target
    if not os.path.exists(path) or (file_hash is not None
                                    and not validate_file(path, file_hash, hash_algorithm)):
        _renew(origin, path, target, file_hash, hash_algorithm)
    if untar:
        if not os.path.exists(target):
            _unpack(path, folder, "tar")
        return target
    if extract:
        _unpack(path, folder, archive_format)
    return path


def _algorithm(file_hash, algorithm):
    if algorithm != "auto":
        return algorithm
    try:
        return _HASHES[len(file_hash)]
    except KeyError:
        raise ValueError("[validate_file] 32 digits (md5) or 64 (sha256) are required; %d were "
                         "given. Name the algorithm." % len(file_hash)) from None


def _digest(chunks, algorithm):
    hasher = hashlib.new(algorithm)
    for chunk in chunks:
        hasher.update(chunk)
    return hasher.hexdigest()


class DownloadError(OSError):
    """The address gives nothing."""


def _renew(origin, path, target, file_hash, algorithm):
    """Downloads `path`; out of reach, what is there of it or of its unpacked target stays."""
    try:
        _download(origin, path, file_hash, algorithm)
    except DownloadError as error:
        present = next((one for one in (path, target) if os.path.exists(one)), None)
        if present is None:
            raise
        warnings.warn("[get_file] %s has not the known hash, and %s cannot be downloaded (%s). "
                      "What is there is used; delete it if it is not what you want."
                      % (present, origin, error.__cause__), stacklevel=3)


def _download(origin, path, file_hash, algorithm):
    """Fetches a file; nothing is at `path` before all of it is there and has its hash."""
    print("Downloading data from", origin)
    with replacing(path) as temporary:
        try:
            _fetch(origin, temporary)
        except OSError as error:
            raise DownloadError("[get_file] %s is required; it cannot be downloaded (%s). Download "
                              "it elsewhere and put it at %s."
                              % (origin, error, path)) from error
        if file_hash is not None and not validate_file(temporary, file_hash, algorithm):
            raise OSError("[get_file] a file with the hash %s is required; the one from %s has "
                          "another. It is not kept. Download it elsewhere and put it at %s."
                          % (file_hash, origin, path))


def _fetch(origin, path):
    """Copies what an address gives to a file, with a progress bar."""
    import urllib.request
    with urllib.request.urlopen(origin, timeout=_PATIENCE_S) as answer, open(path, "wb") as file:
        length = answer.headers.get("Content-Length")
        length = int(length) if length else None
        bar, done = Progbar(length), 0
        for chunk in iter(lambda: answer.read(_CHUNK), b""):
            file.write(chunk)
            done += len(chunk)
            bar.update(done)
        if length is not None and done != length:
            raise OSError("%d of %d bytes came" % (done, length))


def _unpack(path, folder, archive_format):
    """Unpacks an archive into a folder; what is none of the formats stays as it is."""
    import tarfile
    import zipfile
    if archive_format in ("auto", None):
        archive_format = ("tar", "zip") if archive_format else ()
    formats = (archive_format,) if isinstance(archive_format, str) else archive_format
    if "tar" in formats and tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            members = [member for member in archive if member.isfile() or member.isdir()]
            safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
            _extract(archive, members, [member.name for member in members], folder, path, safe)
    elif "zip" in formats and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            _extract(archive, archive.infolist(), archive.namelist(), folder, path, {})


def _extract(archive, members, names, folder, path, safe):
    """Unpacks members (files and folders; no links) beside the target, then moves them there.

    Raises:   OSError, before anything is unpacked, when a name leads out of the folder.
    """
    top = os.path.realpath(folder)
    for name in names:
        if os.path.commonpath([top, os.path.realpath(os.path.join(top, name))]) != top:
            raise OSError("[get_file] names inside of the archive's folder are required; %s has "
                          "%r. Nothing was unpacked." % (path, name))
    with tempfile.TemporaryDirectory(dir=folder) as staging:
        for member in members:
            archive.extract(member, staging, **safe)
        shutil.copytree(staging, folder, dirs_exist_ok=True)
