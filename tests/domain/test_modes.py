"""Modes: each sets parameters that can be used."""

from __future__ import annotations

import pytest

from core.domain.modes import MODES, asks_to_remove
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


@pytest.mark.parametrize(
    "words",
    [
        "remove the dog",
        "REMOVE: dog",
        "Please remove the dog",
        "can you remove the person?",
        "delete the sign.",
        "I want to remove the man on the left",
        "I'd like to erase it",
        "Erase him",
        "erasing the wire",
        "get rid of the cables",
        "could you please get rid of her",
        "take away the car",
        "take the red car away",
        "without people",
        "without the dog",
        "clear away the leaves",
        "edit out the wire",
        "“remove the dog”",
        "  remove\nthe dog",
        "make the dog disappear",
        "let’s remove the pole",
    ],
)
def test_words_that_ask_for_something_to_go_away_are_told_from_a_description(words):
    assert asks_to_remove(words)


@pytest.mark.parametrize(
    "words",
    [
        "",
        "a dog",
        "removed wallpaper",
        "a delete key",
        "delete key on a keyboard",
        "erased pencil drawing",
        "remover of stains",
        "cat without a tail",
        "take a walk",
        "a man taking out the trash",
        "clear sky",
        "clean kitchen",
        "remove-before-flight tag",
        "deleted scene",
        "cut flowers",
        "make a dog",
        "no parking sign",
        "takeaway food",
        "erasers",
        "get well card",
        "cutout of a star",
    ],
)
def test_words_that_name_what_is_to_be_seen_are_no_wish_to_remove(words):
    assert not asks_to_remove(words)
