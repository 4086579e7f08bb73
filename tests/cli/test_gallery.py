"""The gallery on the command line: forms that other tools rely on."""

from __future__ import annotations

import json
from functools import partial

import pytest

from tests.conftest import a_picture, a_request


@pytest.fixture
def run(run):
    return partial(run, "gallery")


@pytest.fixture
def ids(studio) -> list[str]:
    made = [studio.generations.submit(a_request(prompt=p))[0] for p in ("a red cat", "a blue cat", "a dog")]
    studio.dispatcher.drain()
    return made


def lines(result) -> list[dict]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def found(run, *arguments) -> list[str]:
    return [line["id"] for line in lines(run("search", *arguments, "--json"))]


def test_search_finds_words_under_filters_newest_first(run, ids):
    assert found(run, "cat") == [ids[1], ids[0]]
    assert found(run, '"red cat"') == [ids[0]]
    assert found(run, "do*", "--status", "succeeded", "--model", "pocket-inpaint") == [ids[2]]
    assert found(run, "cat", "--sort", "oldest") == ids[:2]
    assert found(run, "--since", "2026-01-01", "--until", "2026-01-01") == ids[::-1]
    assert found(run, "--until", "2025-12-31") == []
    assert found(run, "cat", "--max-px", "95") == []


def test_what_was_organised_is_found_again(run, ids):
    assert lines(run("tag", *ids[:2], "--add", "Pets", "--add", "print", "--json"))[0] == {
        "id": ids[0],
        "tags": ["Pets", "print"],
    }
    assert lines(run("tag", ids[0], "--remove", "print", "--json")) == [{"id": ids[0], "tags": ["Pets"]}]
    assert lines(run("rate", *ids[1:], 4, "--json")) == [{"id": id, "rating": 4} for id in ids[1:]]
    assert lines(run("favourite", ids[2], "--json")) == [{"id": ids[2], "favourite": True}]

    assert found(run, "--tag", "pets", "--tag", "PRINT") == [ids[1]]
    assert found(run, "pets") == [ids[1], ids[0]]
    assert found(run, "--rating", 4, "--favourite") == [ids[2]]
    assert found(run, "--sort", "worst") == [ids[1], ids[2], ids[0]]
    [shown] = lines(run("show", ids[1], "--json"))
    assert (shown["tags"], shown["rating"], shown["favourite"]) == (["Pets", "print"], 4, False)
    run("rate", ids[1], 0)
    run("favourite", ids[2], "--off")
    assert found(run, "--rating", 1) == [ids[2]]
    assert found(run, "--favourite") == []


def test_titles_and_notes_are_written_and_found(run, ids):
    assert lines(run("rename", *ids[:2], "--title", " Two  pets ", "--json")) == [
        {"id": id, "title": "Two pets"} for id in ids[:2]
    ]
    assert lines(run("note", ids[2], "--text", "for the wall", "--json")) == [{"id": ids[2], "notes": "for the wall"}]

    assert found(run, "pets") == [ids[1], ids[0]]
    assert found(run, "wall") == [ids[2]]
    run("rename", ids[0], "--title", "")
    assert found(run, "pets") == [ids[1]]
    assert "has no note" in run("note", ids[2], "--text", "").stdout


def test_verdicts_are_shown_and_searched_for(run, ids, studio):
    studio.reproductions.verify(ids[:1])
    studio.dispatcher.drain()

    [exact] = lines(run("search", "--verdict", "exact", "--json"))

    assert (exact["id"], exact["verdict"]) == (ids[0], "EXACT")
    assert found(run, "--verdict", "unverified") == [ids[2], ids[1]]
    assert found(run, "--verdict", "unverified", "--verdict", "EXACT") == ids[::-1]


def test_a_search_is_saved_asked_again_narrowed_and_forgotten(run, ids):
    run("rate", *ids[:2], 5)
    assert found(run, "cat", "--rating", 5, "--sort", "oldest", "--save", "good cats") == ids[:2]

    assert lines(run("searches", "--json")) == [
        {"name": "good cats", "query": {"search": "cat", "rating": "5", "sort": "oldest"}}
    ]
    assert "good cats: search cat; rating 5; sort oldest" in run("searches").stdout
    assert found(run, "--saved", "good cats") == ids[:2]
    assert found(run, "blue", "--saved", "good cats") == [ids[1]]
    assert found(run, "--saved", "good cats", "--sort", "newest") == [ids[1], ids[0]]
    run("forget-search", "good cats")
    assert run("searches", "--json").stdout == ""
    run("search", "--saved", "good cats", code=2)


@pytest.mark.slow
def test_a_search_is_read_page_by_page_in_every_order(run, ids):
    for sort in ("newest", "oldest", "best", "slowest"):
        first = run("search", "--limit", 2, "--sort", sort, "--json")
        cursor = first.stderr.split("--after ")[1].strip()

        second = run("search", "--limit", 2, "--sort", sort, "--after", cursor, "--json")

        assert sorted(line["id"] for line in lines(first) + lines(second)) == sorted(ids)
    run("search", "--sort", "fastest", "--after", cursor, code=2)


def test_the_trash_takes_gives_back_and_is_emptied(run, ids, studio):
    assert lines(run("trash", *ids[:2], "--json")) == [{"id": id, "in_trash": True} for id in ids[:2]]
    assert found(run, "--trash") == [ids[1], ids[0]]
    assert lines(run("restore", ids[0], "--json")) == [{"id": ids[0], "in_trash": False}]

    assert lines(run("empty-trash", "--json")) == [{"generations": 0, "files": 0}]
    [emptied] = lines(run("empty-trash", "--all", "--json"))

    assert emptied == {"generations": 1, "files": 2}
    run("show", ids[1], code=2)
    assert studio.gallery.check().is_sound


@pytest.mark.slow
def test_the_space_of_the_trash_is_freed_at_once(run, ids, studio, clock):
    run("trash", ids[0])
    clock.wait(minutes=2)

    [emptied] = lines(run("empty-trash", "--all", "--now", "--json"))

    assert (emptied["generations"], emptied["files"], emptied["freed_files"]) == (1, 2, 2)
    assert emptied["freed_bytes"] > 1_000
    assert studio.gallery.check().is_sound


def test_most_files_go_only_where_that_is_wanted(run, studio, clock):
    studio.gallery.images.put(a_picture(30, 30))
    clock.wait(hours=2)

    assert "1 of 1 stored files" in run("check", "--repair", code=1).stderr
    assert lines(run("check", "--repair", "--yes-most-files", "--json"))[-1]["removed"] == 1


def test_the_check_ends_with_1_until_all_is_well(run, ids, studio, clock):
    orphan = studio.gallery.images.put(a_picture(30, 30))
    clock.wait(hours=2)
    output = studio.gallery.get(ids[0]).output
    kept = studio.gallery.images.path(output).read_bytes()
    studio.gallery.images.path(output).unlink()

    *problems, totals = lines(run("check", "--repair", "--json", code=1))

    assert problems == [
        {"problem": "missing", "file": output, "ids": [ids[0]]},
        {"problem": "orphaned", "file": orphan, "ids": [], "removed": True},
    ]
    assert (totals["missing"], totals["orphaned"], totals["removed"]) == (1, 1, 1)
    studio.gallery.images.path(output).write_bytes(kept)
    assert lines(run("check", "--json"))[0]["missing"] == 0
    assert "0 missing" in run("check").stdout


@pytest.mark.slow_but_first
@pytest.mark.parametrize(
    "arguments",
    [
        ("search", "--rating", "7"),
        ("search", "--since", "tomorrow"),
        ("search", "--sort", "sideways"),
        ("search", "--verdict", "good"),
        ("search", "--saved", "nothing"),
        ("search", "--save", " "),
        ("forget-search", "nothing"),
        ("rename", "nobody", "--title", "x"),
        ("rename", "{id}", "--title", "x" * 201),
        ("note", "nobody", "--text", "x"),
        ("search", "--after", "nonsense"),
        ("search", "x" * 501),
        ("rate", "{id}"),
        ("rate", "{id}", "6"),
        ("rate", "nobody", "3"),
        ("tag", "{id}"),
        ("tag", "{id}", "--add", ""),
        ("tag", "nobody", "--add", "x"),
        ("favourite", "nobody"),
        ("trash", "{id}", "nobody"),
        ("restore", "nobody"),
    ],
)
def test_bad_input_ends_with_2_and_a_sentence_and_changes_nothing(run, ids, studio, arguments):
    before = [studio.gallery.get(id) for id in ids]

    result = run(*(a.format(id=ids[0]) for a in arguments), code=2)

    assert result.stdout == ""
    assert result.stderr.strip()
    assert "Traceback" not in result.stderr
    assert [studio.gallery.get(id) for id in ids] == before
