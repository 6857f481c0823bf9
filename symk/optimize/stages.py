"""The stages in running order. This list is the documentation of what the optimiser does.

A stage is a function from results to (results, counts): how often what fired. Each runs on the
bodies of loops and branches as well.
"""
import collections
import typing

from ..config import settings
from ..graph.check import check
from ..graph.errors import GraphError
from ..graph.walk import nodes_of
from .broadcast import drop_broadcasts
from .canonicalise import CANONICALISE
from .epilogue import read_from_result, take_in_epilogues, take_in_padding, take_in_transposes
from .expand import expand_compositions
from .fold import fold
from .fuse import fuse
from .fuse_reduce import fuse_reductions
from .inside import has_bodies, inside
from .layout import move_transposes
from .loop_keep import keep_for_gradients
from .loop_move import move_before_loops, move_behind_loops
from .loop_prune import prune_loops
from .merge import merge
from .rewrite import rewrite
from .scatter import add_rows_in_place, add_rows_in_program
from .simplify import SIMPLIFY
from .stabilise import STABILISE
from .sums import join_slices

__all__ = ["STAGES", "Stage", "Report", "optimize", "explain"]


def _table(rules):
    return lambda results: rewrite(results, rules)


def _in_turn(*stages):
    """One stage that is several walks."""
    def run(results):
        counts = collections.Counter()
        for stage in stages:
            results, fired = stage(results)
            counts.update(fired)
        return results, counts
    return run


def _for_loops(*stages):
    """As `_in_turn`, of stages that have nothing to do where there is no loop."""
    run = _in_turn(*stages)
    return lambda results: run(results) if has_bodies(results) else (results, {})


_SIMPLIFY = _in_turn(_table(CANONICALISE + SIMPLIFY), drop_broadcasts, fold)

class Stage(typing.NamedTuple):
    """A name, what is run, and why it stands where it stands."""

    name: str
    run: typing.Callable
    reason: str


STAGES = (
    Stage("loops", _for_loops(merge, prune_loops, keep_for_gradients),
          "while the steps of a gradient still read as those of its loop; a loop that is there "
          "twice would give out what is kept once only"),
    Stage("fold", _in_turn(expand_compositions, fold, merge),
          "definitions, known conditions and equal nodes first: less to do"),
    Stage("canonicalise", _table(CANONICALISE), "one form for each thing, so that rules are few"),
    Stage("simplify", _SIMPLIFY, "less work for the same values"),
    Stage("stabilise", _table(STABILISE), "while logarithms and exponentials still stand apart"),
    Stage("clean up", _in_turn(_SIMPLIFY, join_slices, merge),
          "what stabilise left, and what became equal"),
    Stage("around loops", _for_loops(prune_loops, move_before_loops, move_behind_loops,
                                     prune_loops, _SIMPLIFY, merge),
          "what a step does is known; a large product outside is better than many inside"),
    Stage("layout", _in_turn(move_transposes, _table(CANONICALISE), fold, merge),
          "before products take in what reads them: a transpose between would be in the way"),
    Stage("epilogue", _in_turn(take_in_transposes, take_in_padding, read_from_result, merge,
                               take_in_epilogues, add_rows_in_place),
          "before fusion, which would take bias and activation"),
    Stage("fuse", _in_turn(fuse, fuse_reductions, add_rows_in_program),
          "last: a program hides its instructions from rules"),
)


class Report:
    """What a stage did: its name, nodes before and after, and how often each rule fired."""

    __slots__ = ("name", "before", "after", "counts")

    def __init__(self, name, before, after, counts):
        self.name, self.before, self.after, self.counts = name, before, after, counts


def optimize(results, names=None):
    """Runs the stages.

    Args:     names: the stages to run, by name; all of them by default.
    Returns:  (results, reports).
    Raises:   GraphError for a name that no stage has.
    """
    known = [stage.name for stage in STAGES]
    if names is not None and not set(names) <= set(known):
        raise GraphError("[optimize] stages must be among %s; %s were given."
                         % (", ".join(known), ", ".join(map(repr, names))))
    reports = []
    before = len(nodes_of(results))
    nested = has_bodies(results)      # no stage makes a loop or branch
    for stage in STAGES:
        if names is not None and stage.name not in names:
            continue
        types = [variable.type for variable in results]
        run = inside(stage.run) if nested else stage.run
        results, counts = run(results)
        assert [variable.type for variable in results] == types, stage.name
        if settings.check:
            check(results)
        after = len(nodes_of(results))
        reports.append(Report(stage.name, before, after, counts))
        before = after
    return results, reports


def explain(reports):
    """The reports as text."""
    lines = []
    for report in reports:
        lines.append("%-14s %5d nodes -> %5d" % (report.name, report.before, report.after))
        lines += ["    %4d x  %s" % (count, name)
                  for name, count in sorted(report.counts.items(), key=lambda item: -item[1])]
    return "\n".join(lines)
