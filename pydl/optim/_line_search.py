"""A line search for the strong Wolfe conditions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SUFFICIENT_DECREASE, CURVATURE = 1e-4, 0.9  # c1 and c2 of Nocedal and Wright, section 3.1, for quasi-Newton methods
SMALLEST_BRACKET = 1e-9


@dataclass
class _Point:
    """A step length, and what was found there."""

    length: float
    loss: float
    gradient: Any
    slope: float


def _interpolated(a: _Point, b: _Point, low: float, high: float) -> float:
    """Where in [low, high] the cubic through both points and slopes is least (Nocedal and Wright, equation 3.59)."""
    first = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.length - b.length)
    square = first * first - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2
    second = math.sqrt(square)
    left, right = (a, b) if a.length <= b.length else (b, a)
    width = right.length - left.length
    denominator = right.slope - left.slope + 2 * second
    if denominator == 0:
        return (low + high) / 2
    least = right.length - width * ((right.slope + second - first) / denominator)
    return min(max(least, low), high)


def strong_wolfe(
    evaluate: Callable[[float], tuple[float, Any]],
    length: float,
    direction: Any,
    loss: float,
    gradient: Any,
    slope: float,
    most: int,
) -> tuple[float, Any, float, int]:
    """A step length at which the loss has fallen enough and its slope is small (algorithms 3.5 and 3.6, ibid.).

    Args:
        evaluate: loss and gradient at a step length.
        length: first trial.
        direction: of descent.
        loss, gradient, slope: at length 0; the slope is the gradient times the direction.
        most: trials after the first one.

    Returns:
        Loss, gradient and length of the step, and how often ``evaluate`` was called.
    """
    start = _Point(0.0, loss, gradient.clone(), slope)

    def at(t: float) -> _Point:
        value, found = evaluate(t)
        return _Point(t, value, found, found.dot(direction).item())

    def too_high(point: _Point) -> bool:
        return point.loss > start.loss + SUFFICIENT_DECREASE * point.length * start.slope

    def flat(point: _Point) -> bool:
        return abs(point.slope) <= -CURVATURE * start.slope

    before, now, tries = start, at(length), 0
    bracket = [start, now]
    done = False
    while tries < most:
        bracket = [before, now]
        if too_high(now) or (tries > 1 and now.loss >= before.loss):
            break
        if flat(now):
            bracket, done = [now, now], True
            break
        if now.slope >= 0:
            break
        near, far = now.length + 0.01 * (now.length - before.length), now.length * 10
        before, now = now, at(_interpolated(before, now, near, far))
        tries += 1
    else:
        bracket, done = [start, now], True
    if not done:
        size = float(direction.abs().max().item())
        best, tries = _narrowed(bracket, at, too_high, flat, size, tries, most)
    else:
        best = min(bracket, key=lambda point: point.loss)
    return best.loss, best.gradient, best.length, tries + 1


def _narrowed(
    bracket: list[_Point],
    at: Callable[[float], _Point],
    too_high: Callable[[_Point], bool],
    flat: Callable[[_Point], bool],
    size: float,
    tries: int,
    most: int,
) -> tuple[_Point, int]:
    """The best point of the bracket, narrowed until one meets the conditions; and the count of evaluations."""
    low, high = sorted(bracket, key=lambda point: point.loss)
    stuck = False
    while tries < most and abs(high.length - low.length) * size >= SMALLEST_BRACKET:
        left, right = sorted((low.length, high.length))
        t = _interpolated(bracket[0], bracket[1], left, right)
        margin = 0.1 * (right - left)
        # Twice in a row next to an end means that the cubic misleads: move away from the end.
        if min(right - t, t - left) < margin:
            if stuck or t >= right or t <= left:
                t = right - margin if abs(t - right) < abs(t - left) else left + margin
                stuck = False
            else:
                stuck = True
        else:
            stuck = False
        now = at(t)
        tries += 1
        if too_high(now) or now.loss >= low.loss:
            bracket = [now if point is high else point for point in bracket]
            low, high = sorted(bracket, key=lambda point: point.loss)
            continue
        if flat(now):
            return now, tries
        if now.slope * (high.length - low.length) >= 0:
            high = low
        low = now
        bracket = [low, high]
    return low, tries
