"""Names of dtypes, and the rule by which two of them meet."""
import numpy as np
import pytest

from symk.config import settings
from symk.graph import DtypeError, dtype


@pytest.mark.parametrize("given, expected", [
    ("float32", "float32"), (np.float64, "float64"), (np.dtype("int8"), "int8"), (bool, "bool"),
    (float, "float64"), ("uint8", "uint8")])
def test_a_dtype_has_one_name(given, expected):
    assert dtype.canonical(given) == expected


@pytest.mark.parametrize("given", ["complex64", "str", "float128x", object, "uint32"])
def test_other_dtypes_are_refused(given):
    with pytest.raises(DtypeError, match="a dtype must be one of float16"):
        dtype.canonical(given)


@pytest.mark.parametrize("types, expected", [
    (("float32", "float32"), "float32"), (("float32", "float64"), "float64"),
    (("float16", "float32"), "float32"), (("int64", "float32"), "float32"),
    (("float16", "int64"), "float16"), (("int8", "uint8"), "int16"), (("bool", "int8"), "int8"),
    (("bool", "float32"), "float32"), (("int32", "int64", "float16"), "float16"),
    (("bool", "bool"), "bool")])
def test_tensors_meet_in_a_dtype(types, expected):
    assert dtype.promote(*types) == expected
    assert dtype.promote(*reversed(types)) == expected


def test_values_adapt_to_the_tensor_that_they_meet():
    assert dtype.adapt(np.float64([1]), "float32") == "float32"
    assert dtype.adapt(np.int64([1]), "float16") == "float16"
    assert dtype.adapt(np.int64([1]), "uint8") == "uint8"
    assert dtype.adapt(np.float64(1.5), "int32") == settings.floatx
    assert dtype.adapt(np.int64(2), "bool") == "int32"
    assert dtype.adapt(np.bool_(True), "float32") == "float32"


def test_integers_compute_in_floatx():
    settings.floatx = "float64"
    assert dtype.floating("int32") == "float64"
    assert dtype.floating("float16") == "float16"
