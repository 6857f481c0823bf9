"""Files from the network and their cache, with addresses of this machine."""
import hashlib
import io
import pathlib
import tarfile
import zipfile

import pytest

from symk.utils.downloads import cache_folder, get_file, validate_file


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.txt"
    path.write_bytes(b"what is there")
    return path


def digest(path, algorithm="md5"):
    return hashlib.new(algorithm, path.read_bytes()).hexdigest()


def test_a_file_is_fetched_once(cache, source):
    path = get_file("name.txt", source.as_uri(), file_hash=digest(source, "sha256"))
    assert path == str(cache / "datasets" / "name.txt")
    source.write_bytes(b"changed")
    assert pathlib.Path(get_file("name.txt", source.as_uri())).read_bytes() == b"what is there"


def test_a_file_with_another_hash_is_fetched_again(cache, source):
    get_file("name.txt", source.as_uri())
    source.write_bytes(b"changed")
    path = get_file("name.txt", source.as_uri(), md5_hash=digest(source))
    assert pathlib.Path(path).read_bytes() == b"changed"


def test_a_download_with_another_hash_is_not_kept(cache, source):
    with pytest.raises(OSError, match="has another"):
        get_file("name.txt", source.as_uri(), file_hash="0" * 32)
    assert list((cache / "datasets").iterdir()) == []


def test_without_a_network_the_message_says_where_to_put_the_file(cache, tmp_path):
    with pytest.raises(OSError, match="put it at .*datasets.name"):
        get_file("name", (tmp_path / "nothing").as_uri())
    assert list((cache / "datasets").iterdir()) == []


def test_without_a_network_a_file_of_ones_own_is_used_with_a_warning(cache, tmp_path):
    own = cache / "datasets" / "name"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"my own")
    with pytest.warns(UserWarning, match="name has not the known hash"):
        path = get_file("name", (tmp_path / "nothing").as_uri(), file_hash="0" * 32)
    assert pathlib.Path(path).read_bytes() == b"my own"


def test_without_a_network_an_unpacked_folder_needs_no_archive(cache, tmp_path):
    folder = cache / "datasets" / "pictures"
    folder.mkdir(parents=True)
    with pytest.warns(UserWarning, match="pictures has not the known hash"):
        path = get_file("pictures", (tmp_path / "nothing").as_uri(), untar=True)
    assert path == str(folder)


def test_hashes(source):
    assert validate_file(source, digest(source)) and validate_file(source, digest(source).upper())
    assert not validate_file(source, "0" * 64)
    with pytest.raises(ValueError, match="Name the algorithm"):
        validate_file(source, "abc")


def archive_of(path, names):
    """A tar or zip file of small files."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, b"content")
    else:
        with tarfile.open(path, "w:gz") as archive:
            for name in names:
                member = tarfile.TarInfo(name)
                member.size = 7
                archive.addfile(member, io.BytesIO(b"content"))
    return path


@pytest.mark.parametrize("name", ["data.zip", "data.tar.gz"])
def test_archives_are_unpacked_beside_themselves(cache, tmp_path, name):
    source = archive_of(tmp_path / name, ["top/a.txt", "top/deep/b.txt"])
    get_file(name, source.as_uri(), extract=True)
    assert (cache / "datasets" / "top" / "deep" / "b.txt").read_bytes() == b"content"
    get_file(name, source.as_uri(), extract=True)


def test_untar_gives_the_folder(cache, tmp_path):
    source = archive_of(tmp_path / "data.tar.gz", ["data/a.txt"])
    path = get_file("data", source.as_uri(), untar=True)
    assert path == str(cache / "datasets" / "data") == get_file("data", "nowhere", untar=True)


@pytest.mark.parametrize("name", ["data.zip", "data.tar.gz"])
@pytest.mark.parametrize("member", ["../out.txt", "/tmp/out.txt", "a/../../out.txt"])
def test_names_that_lead_out_of_the_folder_are_refused(cache, tmp_path, name, member):
    source = archive_of(tmp_path / name, ["good.txt", member])
    with pytest.raises(OSError, match="Nothing was unpacked"):
        get_file(name, source.as_uri(), extract=True)
    assert [path.name for path in (cache / "datasets").iterdir()] == [name]


def test_links_are_not_unpacked(cache, tmp_path):
    source = tmp_path / "data.tar.gz"
    with tarfile.open(source, "w:gz") as archive:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    get_file("data.tar.gz", source.as_uri(), extract=True)
    assert not (cache / "datasets" / "link").exists()


def test_the_cache_can_be_elsewhere(tmp_path):
    assert cache_folder("models", tmp_path / "here") == str(tmp_path / "here" / "models")
