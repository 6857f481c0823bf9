"""Progbar: a line that shows how far a loop is, and the means of some values."""
import sys
import time

import numpy as np

from .. import renames

__all__ = ["Progbar"]


class Progbar:
    """A progress bar on the standard output.

    On a terminal it is drawn at most once per `interval`; elsewhere one line is printed when the
    target is reached.

    # Arguments
        target: number of steps, None if unknown.
        width: characters of the bar.
        verbose: 1 draws the bar, 2 prints one line at the end, 0 prints nothing.
        stateful_metrics: names whose values are shown as they are; others are averaged.
        interval: shortest time between two draws, in seconds.
    """

    def __init__(self, target, width=30, verbose=1, interval=0.05, stateful_metrics=None):
        self.target = target
        self.width = width
        self.verbose = verbose
        self.interval = interval
        self.stateful_metrics = set(stateful_metrics or ())
        self.seen_so_far = 0
        self._sums = {}     # name -> [sum of value * steps, steps], or the value itself
        self._start = time.time()
        self._last_draw = 0.0
        self._last_length = 0
        self._on_terminal = _is_terminal(sys.stdout)

    @renames.accepts("Progbar.update")
    def update(self, current, values=None, finished=False):
        """Goes to step `current` and draws; values are pairs (name, value of these steps).

        `finished` ends the line although the target is not known or not reached.
        """
        self.note(current, values)
        if self.verbose == 0:
            return
        done = finished or (self.target is not None and current >= self.target)
        now = time.time()
        live = self.verbose == 1 and self._on_terminal
        if done or (live and now - self._last_draw >= self.interval):
            self._draw(current, now, done, live)
            self._last_draw = now

    def note(self, current, values=None):
        """Goes to step `current` without drawing."""
        for name, value in values or ():
            self._note(name, value, current - self.seen_so_far)
        self.seen_so_far = current

    def add(self, n, values=None):
        """Goes on by `n` steps."""
        self.update(self.seen_so_far + n, values)

    def _note(self, name, value, steps):
        if name in self.stateful_metrics:
            self._sums[name] = value
            return
        total = self._sums.setdefault(name, [0.0, 0])
        steps = max(steps, 1)
        total[0] += value * steps
        total[1] += steps

    def _draw(self, current, now, done, live):
        if self.verbose == 2:
            text = " - %.0fs" % (now - self._start) + self._values()
        else:
            text = (self._bar(current) + self._times(current, now - self._start, done)
                    + self._values())
        if live:
            padding = " " * max(0, self._last_length - len(text))
            sys.stdout.write("\r" + text + padding)
            self._last_length = len(text)
        else:
            sys.stdout.write(text)
        if done:
            sys.stdout.write("\n")
        sys.stdout.flush()

    def _bar(self, current):
        if self.target is None:
            return "%7d/Unknown" % current
        digits = len(str(self.target))
        filled = int(self.width * min(current / max(self.target, 1), 1.0))
        arrow = "=" * filled
        if filled and current < self.target:
            arrow = arrow[:-1] + ">"
        return "%*d/%d [%s]" % (digits, current, self.target, arrow.ljust(self.width, "."))

    def _times(self, current, elapsed, done):
        per_step = elapsed / current if current else 0.0
        if self.target is not None and not done:
            return " - ETA: %s" % _clock(per_step * (self.target - current))
        return " - %ds %s/step" % (round(elapsed), _duration(per_step))

    def _values(self):
        text = ""
        for name, value in self._sums.items():
            if isinstance(value, list):
                value = value[0] / max(1, value[1])
            value = float(np.mean(value))
            text += " - %s: %s" % (name, "%.4f" % value if abs(value) > 1e-3 else "%.4e" % value)
        return text


def _is_terminal(stream):
    """Whether a line that was written can be drawn over."""
    return (hasattr(stream, "isatty") and stream.isatty()) or "ipykernel" in sys.modules


def _clock(seconds):
    """12s, 3:05 or 1:02:03."""
    seconds = int(seconds)
    if seconds >= 3600:
        return "%d:%02d:%02d" % (seconds // 3600, seconds % 3600 // 60, seconds % 60)
    if seconds >= 60:
        return "%d:%02d" % (seconds // 60, seconds % 60)
    return "%ds" % seconds


def _duration(seconds):
    """A time of one step: 2s, 5ms or 80us."""
    if seconds >= 1:
        return "%.0fs" % seconds
    if seconds >= 1e-3:
        return "%.0fms" % (seconds * 1e3)
    return "%.0fus" % (seconds * 1e6)
