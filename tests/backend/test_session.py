"""The learning phase and names, and the functions of TensorFlow that say what to use instead."""
import pytest

from symk import backend as K
from symk.graph import GraphError


@pytest.mark.parametrize("call, advice", [
    (lambda: K.get_session(), "K.function"),
    (lambda: K.set_session(None), "SYMK_NUM_THREADS"),
    (lambda: K.control_dependencies([]), "updates"),
    (lambda: K.manual_variable_initialization(True), "K.set_value")])
def test_names_of_tensorflow_say_what_to_use(call, advice):
    with pytest.raises(GraphError, match=advice):
        call()


def test_variables_are_initialized_from_the_start():
    K.manual_variable_initialization(False)
    assert K.get_value(K.variable(3.0)) == 3.0


def test_numbers_of_names_start_again():
    K.reset_uids()
    assert [K.get_uid("a"), K.get_uid("a"), K.get_uid("b")] == [1, 2, 1]
    K.clear_session()
    assert K.get_uid("a") == 1


def test_name_scopes_nest():
    with K.name_scope("outer"):
        with K.name_scope("inner"):
            assert K.variable(0.0, name="w").name == "outer/inner/w:0"
    assert K.variable(0.0, name="w").name == "w:0"


def test_the_learning_phase_can_be_fixed():
    try:
        K.set_learning_phase(1)
        assert K.learning_phase() == 1
        with pytest.raises(ValueError, match="0 or 1"):
            K.set_learning_phase(2)
    finally:
        K.clear_session()
    assert K.is_placeholder(K.learning_phase())


def test_decorators_of_execution_change_nothing():
    def build(x):
        return x
    assert K.symbolic(build) is build and K.eager(build) is build
