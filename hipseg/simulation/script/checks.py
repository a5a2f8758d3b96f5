"""Contradictions in a script: what no one could play, whoever the patient is."""

from __future__ import annotations

import itertools

from hipseg.errors import UsageError
from hipseg.simulation.script.actions import NAMES, Action, Advance, DropFrames, Freeze, Insert, Retract, Withdraw
from hipseg.simulation.script.scenario import Scenario

_MOST_ML = 40.0
_TOLERANCE_S = 1e-9


def check_script(scenario: Scenario) -> None:
    """Refuses a script that contradicts itself.

    Raises:
        UsageError: an action after the clip's end; the needle used before it is in or after it is out, or twice at a
            time; a frozen scanner that drops frames; more fluid than a hip takes.
    """
    for action in scenario.actions:
        if action.end_s > scenario.duration_s + _TOLERANCE_S:
            raise _fault(scenario, action, f"ends at {action.end_s:g} s, after the clip's {scenario.duration_s:g} s")
    _check_needle(scenario)
    _check_hands(scenario)
    _check_scanner(scenario)


def _check_needle(scenario: Scenario) -> None:
    """In, used, out: in this order."""
    inside, touched = False, False
    for action in scenario.needle_actions:
        if scenario.needle is None:
            raise _fault(scenario, action, "there is no needle", "add needle: {aim: target}")
        if isinstance(action, Insert):
            if inside:
                raise _fault(scenario, action, "the needle is already in", "withdraw it first")
            inside = True
        elif not inside:
            raise _fault(scenario, action, "the needle is not in", "insert it first")
        elif isinstance(action, Withdraw):
            inside = False
        elif isinstance(action, Retract) and not touched:
            raise _fault(scenario, action, "the needle has not been advanced", "advance it first")
        touched = inside and (touched or isinstance(action, Advance))
    if scenario.needle is not None and not scenario.of(Insert):
        raise UsageError("the needle is never inserted", where=_where(scenario), mend="add insert, or leave needle out")


def _check_hands(scenario: Scenario) -> None:
    """One thing at a time: the needle's actions may not overlap, but Veer and Inject go on beside others."""
    alone = [action for action in scenario.needle_actions if NAMES[type(action)] not in ("veer", "inject")]
    for first, second in itertools.pairwise(alone):
        if second.at_s < first.end_s - _TOLERANCE_S:
            raise _fault(scenario, second, f"begins before {NAMES[type(first)]} ends at {first.end_s:g} s")
    for action in scenario.needle_actions:
        if NAMES[type(action)] in ("veer", "inject"):
            _check_needle_stays(scenario, action)
    volume_ml = sum(getattr(action, "volume_ml", 0.0) for action in scenario.actions)
    if volume_ml > _MOST_ML:
        raise UsageError(f"{volume_ml:g} ml are injected", where=_where(scenario), expected=f"at most {_MOST_ML:g} ml")


def _check_needle_stays(scenario: Scenario, action: Action) -> None:
    """Fluid and sideways motion need a needle that is in from their begin to their end."""
    inserted = [insert for insert in scenario.of(Insert) if insert.at_s <= action.at_s]
    if not inserted or inserted[-1].end_s > action.at_s + _TOLERANCE_S:
        raise _fault(scenario, action, "begins before the needle is in", f"start it after {inserted[-1].end_s:g} s")
    for withdraw in scenario.of(Withdraw):
        if action.at_s < withdraw.end_s and withdraw.at_s < action.end_s:
            raise _fault(scenario, action, "goes on while the needle is withdrawn")


def _check_scanner(scenario: Scenario) -> None:
    for freeze, drop in itertools.product(scenario.of(Freeze), scenario.of(DropFrames)):
        if freeze.at_s < drop.end_s and drop.at_s < freeze.end_s:
            raise _fault(scenario, drop, "a frozen scanner cannot drop frames")


def _fault(scenario: Scenario, action: Action, what: str, mend: str | None = None) -> UsageError:
    where = f"{_where(scenario)}, {NAMES[type(action)]} at {action.at_s:g} s"
    return UsageError(what, where=where, mend=mend)


def _where(scenario: Scenario) -> str:
    return f"scenario {scenario.name}"
