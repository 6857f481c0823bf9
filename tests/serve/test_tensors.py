"""JSON to arrays and back, and what is refused."""
import json
import types

import numpy as np
import pytest

from symk.serve.errors import RequestError
from symk.serve.tensors import decode, encode

FLOAT, INT, BOOL = np.dtype("float32"), np.dtype("int32"), np.dtype("bool")


def function(inputs, outputs=(("y", FLOAT, (None,)),)):
    return types.SimpleNamespace(inputs=list(inputs), outputs=list(outputs))


ONE = {"predict": function([("x", FLOAT, (None, 2))])}
TWO = {"predict": function([("a", FLOAT, (None, 2)), ("b", INT, (None,))]),
       "encode": function([("a", FLOAT, (2,))])}


def arrays(request, functions):
    return [array.tolist() for array in decode(json.dumps(request).encode(), functions)[1]]


@pytest.mark.parametrize("request_", [
    {"instances": [[1, 2], [3, 4]]}, {"instances": [{"x": [1, 2]}, {"x": [3, 4]}]},
    {"inputs": [[1, 2], [3, 4]]}, {"inputs": {"x": [[1, 2], [3, 4]]}},
    {"signature_name": "serving_default", "inputs": [[1, 2], [3, 4]]},
    {"signature_name": "predict", "instances": [[1, 2], [3, 4]]}])
def test_all_forms_of_one_input(request_):
    assert arrays(request_, ONE) == [[[1, 2], [3, 4]]]


@pytest.mark.parametrize("request_", [
    {"instances": [{"a": [1, 2], "b": 3}, {"b": 6, "a": [4, 5]}]},
    {"inputs": {"b": [3, 6], "a": [[1, 2], [4, 5]]}}])
def test_both_forms_of_two_inputs(request_):
    assert arrays(request_, TWO) == [[[1, 2], [4, 5]], [3, 6]]


def test_a_signature_is_chosen_by_its_name():
    name, (array,), by_rows = decode(b'{"signature_name": "encode", "inputs": [1, 2]}', TWO)
    assert name == "encode" and array.tolist() == [1, 2] and not by_rows


def test_no_instances_are_an_empty_batch():
    assert decode(b'{"instances": []}', ONE)[1][0].shape == (0, 2)


def test_the_words_for_what_is_no_number_are_read():
    array, = decode(b'{"instances": [[NaN, -Infinity]]}', ONE)[1]
    assert np.isnan(array[0, 0]) and array[0, 1] == -np.inf


def test_every_float32_keeps_its_bits():
    numbers = np.random.RandomState(0).randint(0, 2 ** 31, 4000).astype("uint32").view("float32")
    numbers = numbers[np.isfinite(numbers)]
    numbers = numbers[:len(numbers) // 2 * 2].reshape(-1, 2)
    body = encode([numbers], function([], [("y", FLOAT, (None, 2))]), True)
    again = decode(json.dumps({"instances": json.loads(body)["predictions"]}).encode(), ONE)[1][0]
    assert again.tobytes() == numbers.tobytes()


@pytest.mark.parametrize("body, message", [
    (b"", "must be JSON"), (b"{", "must be JSON"), (b"\xff\xfe\x00", "must be JSON"),
    (b"[" * 100000, "must be JSON"), (b"[1]", "must be a JSON object; it is a list"),
    (b"{}", "either instances .* or inputs .* is required"),
    (b'{"instances": [], "inputs": []}', "either instances"),
    (b'{"instances": 3}', "instances must be a list; it is a int"),
    (b'{"instances": [[1, 2]], "timeout": 3}', "timeout was given"),
    (b'{"instances": [[1, 2]], "signature_name": "train"}', "must be one of serving_default, pre"),
    (b'{"instances": [[1, 2]], "signature_name": [1]}', "must be one of serving_default, predict"),
    (b'{"instances": [[1, 2], [3]]}', "input x must be numbers in lists of equal lengths"),
    (b'{"instances": [[1, 2, 3]]}', r"input x must have the shape \(\?, 2\); it has \(1, 3\)"),
    (b'{"instances": [1, 2]}', r"input x must have the shape \(\?, 2\); it has \(2\)"),
    (b'{"instances": [["a", "b"]]}', "input x must be numbers"),
    (b'{"instances": [[null, 1]]}', "input x must be numbers"),
    (b'{"instances": [{"b64": "AAAA"}]}', "b64.* is for texts and bytes"),
    (b'{"inputs": {"b64": "AAAA"}}', "b64.* is for texts and bytes"),
    (b'{"inputs": [[{"b64": "AAAA"}]]}', "b64.* is for texts and bytes"),
    (b'{"instances": [{"z": [1, 2]}]}', "instance 0 must have the inputs x; z were given"),
    (b'{"instances": [{"x": [1, 2]}, [3, 4]]}', "instance 1 is none"),
    (b'{"inputs": {"x": [[1, 2]], "z": 3}}', "inputs must have the inputs x; x, z were given"),
    (b'{"instances": [[1' + b"0" * 5000 + b', 2]]}', "must be"),
])
def test_what_is_refused(body, message):
    with pytest.raises(RequestError, match=message) as refusal:
        decode(body, ONE)
    assert refusal.value.status == 400


@pytest.mark.parametrize("value", ["[1.5]", "[3000000000]", "[NaN]", "[1e400]"])
def test_values_that_an_integer_input_does_not_have_are_refused(value):
    integers = {"predict": function([("n", INT, (None,))])}
    with pytest.raises(RequestError, match="input n must have values of int32; there are others"):
        decode(b'{"inputs": %s}' % value.encode(), integers)


def test_a_number_beyond_float32_is_refused():
    with pytest.raises(RequestError, match="input x must have values of float32"):
        decode(b'{"instances": [[1e39, 0]]}', ONE)


def test_an_input_without_rows_needs_the_column_format():
    fixed = {"predict": function([("v", FLOAT, (2,))])}
    assert arrays({"inputs": [1, 2]}, fixed) == [[1, 2]]
    with pytest.raises(RequestError, match=r"must have the shape \(2\); it has \(1, 2\)"):
        decode(b'{"instances": [[1, 2]]}', fixed)


def test_answers_have_the_format_of_the_request():
    one, two = np.float32([[1, 2], [3, 4]]), np.bool_([True, False])
    both = function([], [("y", FLOAT, (None, 2)), ("z", BOOL, (None,))])
    assert json.loads(encode([one], function([]), True)) == {"predictions": [[1, 2], [3, 4]]}
    assert json.loads(encode([one], function([]), False)) == {"outputs": [[1, 2], [3, 4]]}
    assert json.loads(encode([one, two], both, True)) == {
        "predictions": [{"y": [1, 2], "z": True}, {"y": [3, 4], "z": False}]}
    assert json.loads(encode([one, two], both, False)) == {
        "outputs": {"y": [[1, 2], [3, 4]], "z": [True, False]}}
    with pytest.raises(RequestError, match="row format needs outputs with one row per instance"):
        encode([np.float32(3)], function([]), True)
