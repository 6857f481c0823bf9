"""Old paths of modules."""
import importlib

import pytest

from symk import paths


@pytest.mark.parametrize("path", sorted(paths.ALIASES))
def test_an_alias_is_the_module_itself(path):
    module = importlib.import_module("symk." + path)
    assert module is importlib.import_module("symk." + paths.ALIASES[path])


@pytest.mark.parametrize("path", sorted(paths.COLLECTIONS))
def test_a_collection_has_names_of_its_sources(path):
    module = importlib.import_module("symk." + path)
    names = [name for name in dir(module) if not name.startswith("_")]
    assert names and all(getattr(module, name) is not None for name in names)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        module.nothing


def test_classes_are_the_same_under_all_paths():
    from symk.engine.base_layer import Layer
    from symk.engine.sequential import Sequential
    from symk.layers import Layer as ours
    from symk.models import Sequential as models_sequential
    assert Layer is ours and Sequential is models_sequential


def test_unknown_paths_stay_unknown():
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("symk.engine.nothing")
