"""Files and folders of models, new versions, and files that are wrong."""
import os
import shutil

import numpy as np
import pytest

from symk.deploy import export
from symk.serve import Repository


def predicted(version):
    return version.servable.functions["predict"].run([np.ones((1, 3), "float32")])[0].tolist()


def stamped(path, seconds):
    """Gives a file another time, as a later copy has."""
    facts = os.stat(path)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns + int(seconds * 1e9)))


def states(repository, name):
    return [(version.number, version.state) for version in repository.versions(name)]


def test_a_file_a_model_and_a_folder_of_models(written, dense, tmp_path):
    file = written(dense, tmp_path / "single.symk")
    for place in ("many/one/1", "many/two/3", "many/two/12", "many/.hidden/1", "many/notes"):
        (tmp_path / place).mkdir(parents=True)
        shutil.copy(file, tmp_path / place / "model.symk")
    repository = Repository([file, "other=%s" % file, tmp_path / "many"])
    repository.refresh()
    assert repository.names == ["one", "other", "single", "two"] and repository.is_ready
    assert states(repository, "two") == [(12, "AVAILABLE")]
    alone = Repository([tmp_path / "many" / "two"], keep=2)
    alone.refresh()
    assert alone.names == ["two"]
    assert states(alone, "two") == [(12, "AVAILABLE"), (3, "AVAILABLE")]
    assert alone.find("two").number == 12 and alone.find("two", 3).number == 3
    assert alone.find("two", 4) is None and alone.find("none") is None
    assert alone.versions("none") is None


def test_a_new_version_takes_the_place_of_the_old_one(written, dense, tmp_path):
    written(dense, tmp_path / "m" / "1" / "model.symk")
    repository = Repository([tmp_path / "m"])
    assert [version.number for _, version in repository.refresh()] == [1]
    assert repository.refresh() == []
    before = repository.find("m")
    dense.set_weights([w * 2 for w in dense.get_weights()])
    written(dense, tmp_path / "m" / "2" / "model.symk")
    assert [version.number for _, version in repository.refresh()] == [2]
    assert states(repository, "m") == [(2, "AVAILABLE")]
    assert predicted(repository.find("m")) != predicted(before)
    shutil.rmtree(tmp_path / "m" / "2")
    repository.refresh()
    assert states(repository, "m") == [(1, "AVAILABLE")]


def test_a_file_that_is_replaced_is_loaded_again(written, dense, tmp_path):
    path = written(dense, tmp_path / "m.symk")
    repository = Repository([path])
    repository.refresh()
    before = predicted(repository.find("m"))
    dense.set_weights([w * 2 for w in dense.get_weights()])
    written(dense, path)
    stamped(path, 1)
    assert len(repository.refresh()) == 1
    assert predicted(repository.find("m")) != before


def test_a_damaged_version_leaves_the_old_one_answering(written, dense, tmp_path):
    path = written(dense, tmp_path / "m" / "1" / "model.symk")
    (tmp_path / "m" / "2").mkdir()
    (tmp_path / "m" / "2" / "model.symk").write_bytes(path.read_bytes()[:-40])
    repository = Repository([tmp_path / "m"])
    (_, failed), (_, loaded) = repository.refresh()
    assert failed.number == 2 and failed.error and loaded.number == 1 and not loaded.error
    assert states(repository, "m") == [(2, "END"), (1, "AVAILABLE")]
    assert repository.find("m").number == 1 and repository.is_ready
    assert repository.refresh() == []       # it is not tried again before it changes
    (tmp_path / "other").write_bytes(b"nonsense")
    os.replace(tmp_path / "other", path)
    repository.refresh()
    assert repository.find("m").number == 1 and repository.find("m").error
    assert predicted(repository.find("m")) == dense.predict_on_batch(
        np.ones((1, 3), "float32")).tolist()


def test_a_training_step_is_not_served(dense, tmp_path):
    pytest.importorskip("symk._core")
    dense.compile("sgd", "mse")
    export(dense, tmp_path / "m.symk", train=True)
    repository = Repository([tmp_path / "m.symk"])
    repository.refresh()
    servable = repository.find("m").servable
    assert list(servable.functions) == ["predict"] and servable.batchable == {"predict"}
    data = np.ones((4, 3), "float32")
    assert servable.functions["predict"].run([data])[0].tobytes() == (
        dense.predict_on_batch(data).tobytes())


def test_paths_without_a_model_are_refused(written, dense, tmp_path):
    with pytest.raises(FileNotFoundError):
        Repository([tmp_path / "absent"])
    with pytest.raises(ValueError, match="a model is required"):
        Repository([tmp_path])
    file = written(dense, tmp_path / "m.symk")
    with pytest.raises(ValueError, match="two are called 'm'"):
        Repository([file, "m=%s" % file])
