"""Objects by name: what is found, what is refused, and what a saved model keeps."""
import pytest

from symk import activations, registry
from symk.registry import CustomObjectScope, accepts, custom_objects, deserialize, serialize


class Scale:
    def __init__(self, factor=2, inner=None):
        self.factor = factor
        self.inner = inner

    def get_config(self):
        return {"factor": self.factor}

    @classmethod
    def from_config(cls, config):
        inner = deserialize("halve", {})
        return cls(inner=inner, **config)


class Nested(Scale):
    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(inner=custom_objects["halve"], **config)


def halve(x):
    return x / 2


def test_tables_hold_what_is_registered():
    registry.register("test_kind", "other")(halve)
    registry.register("test_kind")(halve)
    assert registry.names("test_kind") == ["halve", "other"]
    assert registry.lookup("test_kind", "other") is halve
    assert registry.lookup("test_kind", "nothing") is None
    registry.table("test_kind").clear()
    assert registry.lookup("test_kind", "other") is halve


def test_serialize():
    assert serialize(None) is None
    assert serialize(halve) == "halve"
    assert serialize(Scale(3)) == {"class_name": "Scale", "config": {"factor": 3}}
    with pytest.raises(ValueError, match="must have get_config"):
        serialize(object())


def test_deserialize_passes_custom_objects_down():
    custom = {"Scale": Scale, "Nested": Nested, "halve": halve}
    for name in ("Scale", "Nested"):
        made = deserialize({"class_name": name, "config": {"factor": 5}}, {}, custom)
        assert made.factor == 5 and made.inner is halve
    assert custom_objects() == {}


def test_a_class_by_its_name_alone_is_made_if_it_can_be():
    assert deserialize("Scale", {"Scale": Scale}).factor == 2

    class Needy:
        def __init__(self, size):
            self.size = size
    with pytest.raises(ValueError, match="needs the arguments size; only its name was given"):
        deserialize("Needy", {"Needy": Needy})


def test_custom_objects_win_and_are_forgotten():
    def relu(x):
        return x
    with CustomObjectScope({"relu": relu}, {"extra": halve}):
        assert activations.get("relu") is relu
        assert activations.get("extra") is halve
    assert activations.get("relu") is activations.relu
    with pytest.raises(ValueError, match="'extra' was given"):
        activations.get("extra")


def test_a_scope_forgets_after_an_error_too():
    with pytest.raises(KeyError):
        with CustomObjectScope({"extra": halve}):
            raise KeyError
    assert "extra" not in custom_objects()


def test_unknown_names_are_answered_with_close_ones():
    with pytest.raises(ValueError, match="close to it: 'sigmoid', 'hard_sigmoid'"):
        activations.get("sigmoyd")
    with pytest.raises(ValueError, match='"class_name" and "config" is required; 7 was given'):
        deserialize(7, {})


def test_accepts():
    def function(a, *rest, b=1, **others):
        return a, rest, b, others
    assert accepts(function, "a") and accepts(function, "b")
    assert not accepts(function, "rest") and not accepts(function, "c")
    assert accepts(function, "c", any_keyword=True)
