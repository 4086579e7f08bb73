"""Modes: each sets parameters that can be used."""

from __future__ import annotations

import pytest

from core.domain.modes import MODES
from core.domain.params import PARAMETERS, InpaintParams


@pytest.mark.parametrize("mode", sorted(MODES))
def test_a_mode_sets_parameters_inside_their_limits_and_explains_itself(mode):
    chosen = InpaintParams(**MODES[mode].values)

    assert {name: getattr(chosen, name) for name in MODES[mode].values} == MODES[mode].values
    assert all(len(text) > 20 for text in (MODES[mode].help, MODES[mode].advice))


def test_all_modes_set_the_same_parameters_so_that_nothing_is_left_of_another_one():
    assert len({frozenset(mode.values) for mode in MODES.values()}) == 1


def test_replacing_is_what_happens_without_a_choice():
    assert all(PARAMETERS[name].default == value for name, value in MODES["replace"].values.items())
