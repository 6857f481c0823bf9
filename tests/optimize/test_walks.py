"""The rule engine, merging, folding and broadcasting: what they do to a graph as a whole."""
import numpy as np
import pytest

from symk import ops
from symk.graph import Placeholder, Shared, layer_scope
from symk.graph.node import Constant
from symk.graph.reference import evaluate
from symk.graph.walk import nodes_of
from symk.optimize import STAGES, explain, optimize
from symk.optimize.broadcast import drop_broadcasts
from symk.optimize.fold import fold
from symk.optimize.merge import merge
from symk.optimize.pattern import NUMBER
from symk.optimize.rewrite import rewrite, rule


def matrix(name="x"):
    return Placeholder("float32", (None, 4), name=name)


def names(results):
    return [node.op.name for node in nodes_of(results)]


# --- rules ---

TWICE = rule("x + x -> x * 2", ("add", "x", "x"), lambda m: m.x * 2)
SQUARE = rule("x * c -> square(x)", ("mul", "x", NUMBER("c")), ("square", "x"),
              when=lambda m: m.number("c") == 2)


def test_what_a_rule_puts_in_place_is_rewritten_too():
    x = matrix()
    (result,), counts = rewrite([ops.exp(x + x)], [TWICE, SQUARE])
    assert names([result]) == ["square", "exp"]
    assert counts == {TWICE.name: 1, SQUARE.name: 1}


def test_a_replacement_has_the_origin_of_what_it_replaces():
    x = matrix()
    with layer_scope("add_1", "Add"):
        y = x + x
    (result,), _ = rewrite([y], [TWICE])
    assert result.node.origin is y.node.origin


def test_a_pattern_name_is_one_variable():
    x, y = matrix("x"), matrix("y")
    assert rewrite([x + y], [TWICE])[1] == {}


def test_commutative_operands_match_in_both_orders():
    x = matrix()
    row = rule("exp(x) + c -> x", ("add", ("exp", "x"), NUMBER("c")), "x")
    for expression in (ops.exp(x) + 1, 1 + ops.exp(x)):
        assert rewrite([expression], [row])[0] == [x]


def test_a_replacement_of_another_type_is_not_taken():
    x = matrix()
    row = rule("x + y -> y", ("add", "x", "y"), "y")
    vector = ops.constant(np.ones(4, "float32"))
    assert names(rewrite([x + vector], [row])[0]) == ["add"]


def test_rules_that_go_round_are_found():
    x, y = matrix("x"), matrix("y")
    turn = rule("x - y -> -(y - x)", ("sub", "x", "y"), lambda m: m.y - m.x)
    with pytest.raises(AssertionError, match="round in a circle"):
        rewrite([x - y], [turn])


def test_untouched_nodes_are_kept():
    x = matrix()
    y = ops.exp(x)
    (result, kept), _ = rewrite([ops.sum(x + x), y], [TWICE])
    assert kept is y and names([result]) == ["mul", "sum"]


# --- walks ---

def test_equal_nodes_and_constants_become_one():
    x = matrix()
    results, counts = merge([ops.exp(x) * 2.0, 2.0 * ops.exp(x), ops.exp(x) * 3.0])
    assert results[0] is results[1] is not results[2]
    assert sum(counts.values()) == 3 and names(results).count("exp") == 1


def test_ops_of_other_attributes_stay_apart():
    x = matrix()
    results, _ = merge([ops.sum(x, 0), ops.sum(x, 0, keepdims=True)])
    assert len(nodes_of(results)) == 2


def test_constants_are_computed():
    x = matrix()
    table = ops.constant(np.arange(4, dtype="float32"))
    result, = fold([x + ops.exp(ops.sum(table * 2.0))])[0]
    assert names([result]) == ["add"]
    assert result.node.inputs[1].value == np.exp(np.float32(12))


def test_one_number_stays_one_number():
    x = matrix()
    result, = fold([ops.exp(ops.full((1000, 1000), 2.0, "float32"))])[0]
    assert result.node.op.name == "broadcast_to"
    assert result.node.inputs[0].value == np.exp(np.float32(2))
    assert fold([ops.full(x.shape, 1, "float32") + 1])[0][0].shape == x.shape


def test_large_results_are_left_to_the_call():
    column = ops.constant(np.arange(2000, dtype="float32").reshape(-1, 1))
    grid = column + ops.transpose(column)
    assert not isinstance(fold([grid])[0][0], Constant)


def test_a_mistake_in_constants_is_left_to_the_call():
    bad = ops.gather(ops.constant(np.ones(3, "float32")), ops.constant(np.array([5])))
    assert fold([bad])[0] == [bad]


def test_repetition_goes_where_the_reader_does_it():
    x = matrix()
    scalar = Shared(np.array(2.0, "float32"), name="s")
    results, _ = drop_broadcasts([x + ops.broadcast_to(scalar, x.shape),
                                  ops.exp(ops.broadcast_to(scalar, x.shape)) * x])
    assert "broadcast_to" not in names(results)
    wide = ops.broadcast_to(scalar, (5, 4)) + ops.broadcast_to(scalar, (5, 1))
    assert names(drop_broadcasts([wide])[0]).count("broadcast_to") == 1


# --- stages ---

def test_every_stage_says_what_it_did():
    x = matrix()
    results, reports = optimize([ops.log(ops.softmax(x * 1)) + 0])
    assert [report.name for report in reports] == [stage.name for stage in STAGES]
    assert names(results) == ["log_softmax"]
    assert all(a.after == b.before for a, b in zip(reports, reports[1:]))
    text = explain(reports)
    assert "1 x  log(softmax(x)) -> log_softmax(x)" in text and "1 x  x * 1 -> x" in text


def test_keras_cross_entropy_keeps_its_clip():
    """Probabilities are clipped as a part of the value: no stable form may replace it."""
    x, target = matrix("x"), matrix("t")
    p = ops.softmax(x)
    clipped = ops.clip(p / ops.sum(p, 1, keepdims=True), 1e-7, 1 - 1e-7)
    results, _ = optimize([-ops.sum(target * ops.log(clipped), 1)], ["simplify", "stabilise"])
    assert {"clip", "log"} <= set(names(results))


def test_an_infinite_number_is_no_count():
    """Found by random graphs: seed 1017133."""
    x = matrix()
    result, = optimize([ops.sum(ops.full(x.shape, np.inf, "float32"), 1)])[0]
    assert evaluate([result], {x: np.zeros((2, 4), "float32")})[0].tolist() == [np.inf, np.inf]
