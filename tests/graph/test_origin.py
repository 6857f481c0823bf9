"""Who made a node: layers are scopes, the line is the user's."""
import threading

import pytest

from symk.graph import current_layer, layer_scope, origin


def test_scopes_nest_and_end_with_errors():
    assert current_layer() is None
    with pytest.raises(KeyError):
        with layer_scope("a", "Model"):
            with layer_scope("b", "Dense"):
                assert current_layer() == '"b" (Dense)'
                raise KeyError
    assert current_layer() is None


def test_a_scope_belongs_to_its_thread():
    seen = []
    with layer_scope("a", "Model"):
        thread = threading.Thread(target=lambda: seen.append(current_layer()))
        thread.start()
        thread.join()
    assert seen == [None]


def test_the_origin_is_this_line():
    here = origin.here()
    assert here.file == __file__ and repr(here).startswith(__file__ + ":")


def test_nodes_may_be_made_for_another():
    given = origin.Origin('"dense" (Dense)', "train.py", 7)
    with origin.acting_for(given):
        assert origin.here() is given
    assert origin.here() is not given
    assert repr(given) == '"dense" (Dense), train.py:7'
    assert repr(origin.Origin(None, None, 0)) == "unknown line"
