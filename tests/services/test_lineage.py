"""Families, chains, and whole chains painted again: also when the program dies at any moment in between."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text

from core.domain.errors import GenerationNotFound, InvalidMove, OutOfMemory
from core.domain.family import CHILDREN_SHOWN
from core.domain.generation import MAX_ATTEMPTS, Origin, Relation, Status, Verdict
from core.domain.geometry import Size
from core.domain.params import InpaintParams
from core.domain.pixels.mask import Mask
from core.domain.pixels.outpaint import CanvasExtension
from core.domain.request import InpaintRequest
from core.domain.worker import DEAD_AFTER
from core.services.replays import MAX_INTERRUPTIONS
from db.families import MAX_MEMBERS
from tests.conftest import a_mask, a_request, interrupt, make_studio
from tests.fakes import FakeInpainter

BOXES = [(5, 5, 20, 20), (30, 10, 50, 40), (60, 20, 80, 50), (10, 40, 40, 60)]


def continued(studio, parent_id: str, nth: int) -> str:
    """The result of this generation, painted on elsewhere."""
    generation = studio.gallery.get(parent_id)
    params = InpaintParams(prompt=f"step {nth}", size=64, seed=nth, num_inference_steps=2)
    picture = studio.gallery.image(generation.output)
    request = InpaintRequest(picture, a_mask(*picture.size, box=BOXES[nth % 4]), params)
    [id] = studio.generations.submit(request, origin=Origin(parent_id, Relation.CONTINUATION, None, "photo.png"))
    studio.dispatcher.drain()
    return id


@pytest.fixture
def chain(studio, dispatcher) -> list[str]:
    """Four steps, each painted on the result of the one before."""
    ids = studio.generations.submit(a_request(seed=9))
    dispatcher.drain()
    for nth in (1, 2, 3):
        ids.append(continued(studio, ids[-1], nth))
    return ids


def work_off(studio) -> None:
    while studio.worker.run_next():
        pass
    studio.dispatcher.waiting.clear()


# Families ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_one_that_another_process_deletes_while_its_family_is_looked_up_is_not_found(studio, chain, monkeypatch):
    def deleted_meanwhile(session, id):
        studio.gallery.trash([id])
        studio.gallery.delete_for_good([id])
        return []

    monkeypatch.setattr("db.families._children", deleted_meanwhile)

    with pytest.raises(GenerationNotFound):
        studio.families.of(chain[3])


def test_the_chain_leads_from_the_first_source_to_the_generation(studio, chain):
    assert [member.id for member in studio.families.of(chain[3]).chain] == chain
    assert [member.id for member in studio.families.of(chain[1]).chain] == chain[:2]


def test_the_tree_holds_ancestors_and_descendants_each_below_its_parent(studio, dispatcher, chain):
    again = studio.generations.rerun(chain[1])
    dispatcher.drain()

    tree = studio.families.of(chain[2]).tree

    assert [(node.member.id, node.depth) for node in tree] == [
        (chain[0], 0),
        (chain[1], 1),
        (chain[2], 2),
        (chain[3], 3),
        (again, 2),
    ]
    assert tree[-1].member.relation is Relation.RERUN
    assert not any(node.hidden for node in tree)


@pytest.mark.slow
def test_a_rerun_is_no_step_of_a_chain_but_what_was_painted_on_it_follows_it(studio, dispatcher, chain):
    again = studio.generations.rerun(chain[1])
    dispatcher.drain()
    on_top = continued(studio, again, 2)

    assert [member.id for member in studio.families.of(again).chain] == [chain[0], again]
    assert [member.id for member in studio.families.of(on_top).chain] == [chain[0], again, on_top]


@pytest.mark.slow
def test_of_hundreds_of_children_the_newest_are_shown_and_the_one_that_leads_on(studio, dispatcher, chain):
    studio.generations.submit(a_request(), count=40, origin=Origin(chain[0], Relation.VARIATION))

    tree = studio.families.of(chain[3]).tree

    children = [node.member.id for node in tree if node.depth == 1]
    assert len(children) == CHILDREN_SHOWN + 1
    assert chain[1] in children
    assert tree[0].hidden == 40 + 1 - len(children)
    assert [node.member.id for node in tree if node.depth == 3] == [chain[3]]


@pytest.mark.slow
def test_a_very_large_family_is_cut_and_still_holds_the_way_to_the_generation(studio, chain):
    for _ in range(8):
        studio.generations.submit(a_request(), count=64, origin=Origin(chain[0], Relation.VARIATION))
    deep = studio.families.of(chain[3])

    assert len(deep.tree) <= MAX_MEMBERS + len(chain)
    assert {node.member.id for node in deep.tree} >= set(chain)


def test_a_ring_of_parents_cannot_hang_it(studio, chain):
    with studio.families.repo._engine.begin() as connection:
        connection.execute(
            text("UPDATE generations SET parent_id = :last WHERE id = :first"), {"last": chain[3], "first": chain[0]}
        )

    family = studio.families.of(chain[1])

    assert sorted(node.member.id for node in family.tree) == sorted(chain)


def test_a_family_of_nobody_is_not_found(studio):
    with pytest.raises(GenerationNotFound):
        studio.families.of("nobody")


def test_who_has_no_relatives_is_alone(studio, dispatcher):
    [id] = studio.generations.submit(a_request())

    assert studio.families.of(id).is_alone


# Chains over an extended canvas --------------------------------------------------------------------------------


def outpainted(studio, parent_id: str, *extensions: CanvasExtension, session: str | None = None) -> str:
    """The result of this generation, extended on the Inpaint page, each time a bit more, and painted on there."""
    draft_id = studio.drafts.new_id()
    studio.drafts.save(draft_id, studio.drafts.continued_from(studio.gallery.get(parent_id)))
    for extension in extensions:
        draft = studio.drafts.extend_canvas(draft_id, extension, overlap_px=8, max_pixels=10**6)
        studio.drafts.save(draft_id, draft)
    draft = studio.drafts.get(draft_id)
    request = InpaintRequest(
        studio.gallery.image(draft.source),
        Mask.from_image(studio.gallery.image(draft.base_mask)),
        InpaintParams(prompt="wider", size=64, num_inference_steps=2, seed=3),
    )
    origin = Origin(draft.parent_id, draft.relation, session, draft.source_name, draft.extended)
    [id] = studio.generations.submit(request, origin=origin)
    studio.dispatcher.drain()
    return id


@pytest.fixture
def wide(studio, chain) -> list[str]:
    """Two steps, a third one on the canvas extended twice, and a fourth on its result."""
    third = outpainted(studio, chain[1], CanvasExtension(right=24), CanvasExtension(left=8, top=16))
    return [*chain[:2], third, continued(studio, third, 1)]


@pytest.mark.slow
def test_an_outpainted_picture_goes_on_with_the_chain(studio, wide):
    family = studio.families.of(wide[3])

    assert [member.id for member in family.chain] == wide
    third = studio.gallery.get(wide[2])
    assert third.extended.source == studio.gallery.get(wide[1]).output
    assert third.extended.by == (CanvasExtension(right=24), CanvasExtension(left=8, top=16))


def test_a_chain_over_an_extended_canvas_is_replayed_exactly(studio, wide):
    replay_id = studio.replays.start(wide[3])
    work_off(studio)

    replay = studio.replays.get(replay_id)
    assert [step.is_exact for step in replay.steps] == [True] * 4
    assert studio.replays.verdict(replay) is Verdict.EXACT
    new = [step.again.id for step in replay.steps]
    assert [member.id for member in studio.families.of(new[-1]).chain] == new


@pytest.mark.slow
def test_what_comes_out_otherwise_is_extended_as_it_came_out(studio, wide):
    studio.worker.load_inpainter.inpainters["pocket-inpaint", "cpu"].shift = 40

    replay_id = studio.replays.start(wide[3])
    work_off(studio)

    before, after = studio.replays.get(replay_id).steps[1:3]
    assert before.again.output != before.original.output
    kept = CanvasExtension(left=8, top=16, right=24).place(Size(96, 64)).box
    extended = studio.gallery.image(after.again.source)
    assert extended.crop(kept).tobytes() == studio.gallery.image(before.again.output).tobytes()


@pytest.mark.slow
def test_a_variation_and_a_rerun_of_an_outpainted_picture_know_where_it_came_from(studio, wide):
    again = studio.generations.rerun(wide[2])
    varied = studio.drafts.from_generation(studio.gallery.get(wide[2]))
    studio.dispatcher.drain()

    assert [member.id for member in studio.families.of(again).chain] == [*wide[:2], again]
    assert varied.extended == studio.gallery.get(wide[2]).extended


@pytest.mark.slow
def test_a_picture_that_was_changed_outside_still_begins_a_new_chain(studio, chain):
    result = studio.gallery.image(studio.gallery.get(chain[1]).output)
    elsewhere = InpaintRequest(result.rotate(180), a_mask(), InpaintParams(size=64, num_inference_steps=2))

    [id] = studio.generations.submit(elsewhere, origin=Origin(chain[1], Relation.CONTINUATION, None, "photo.png"))
    studio.dispatcher.drain()

    assert [member.id for member in studio.families.of(id).chain] == [id]


@pytest.mark.slow
def test_a_step_that_cannot_be_extended_again_ends_the_replay(studio, wide):
    replay_id = studio.replays.start(wide[3])
    with studio.families.repo._engine.begin() as connection:
        connection.execute(text("UPDATE generations SET width = 999 WHERE id = :id"), {"id": wide[2]})

    work_off(studio)

    replay = studio.replays.get(replay_id)
    assert (replay.done, replay.is_complete) == (2, False)
    assert replay.ended_at


# Replays -------------------------------------------------------------------------------------------------------


def test_a_replayed_chain_comes_out_exactly_and_its_steps_are_linked(studio, chain):
    replay_id = studio.replays.start(chain[3])
    work_off(studio)

    replay = studio.replays.get(replay_id)
    assert replay.is_complete
    assert replay.ended_at
    assert [step.original.id for step in replay.steps] == chain
    assert [step.is_exact for step in replay.steps] == [True] * 4
    assert studio.replays.verdict(replay) is Verdict.EXACT
    new = [step.again for step in replay.steps]
    assert [member.relation for member in new] == [Relation.RERUN] + [Relation.CONTINUATION] * 3
    assert [member.parent_id for member in new] == [chain[0], *(member.id for member in new[:-1])]
    assert [member.id for member in studio.families.of(new[-1].id).chain] == [member.id for member in new]


def test_a_replay_asks_for_the_precision_that_automatic_came_to(studio, chain):
    replay_id = studio.replays.start(chain[1])
    work_off(studio)

    steps = studio.replays.get(replay_id).steps
    assert {studio.gallery.get(step.original.id).params.dtype for step in steps} == {"auto"}
    assert {studio.gallery.get(step.again.id).params.dtype for step in steps} == {"float32"}
    assert [step.is_exact for step in steps] == [True, True]


def test_each_step_is_painted_on_the_new_result_of_the_one_before(studio, chain):
    studio.worker.load_inpainter.inpainters["pocket-inpaint", "cpu"].shift = 1

    replay_id = studio.replays.start(chain[3])
    work_off(studio)

    replay = studio.replays.get(replay_id)
    for before, after in zip(replay.steps, replay.steps[1:], strict=False):
        assert after.again.source == before.again.output != before.original.output
    assert replay.first_difference == 1
    assert studio.replays.verdict(replay) is Verdict.CLOSE


def test_a_picture_that_comes_out_otherwise_is_told_with_the_step_that_parted(studio, chain):
    inpainter = studio.worker.load_inpainter.inpainters["pocket-inpaint", "cpu"]
    replay_id = studio.replays.start(chain[3])
    studio.worker.run_next()
    studio.worker.run_next()
    inpainter.shift = 90

    work_off(studio)

    replay = studio.replays.get(replay_id)
    assert replay.first_difference == 3
    assert studio.replays.verdict(replay) is Verdict.DIFFERENT


@pytest.mark.slow_but_first
@pytest.mark.parametrize("steps_done", [0, 1, 2, 3])
def test_a_restart_between_any_two_steps_loses_nothing(studio, settings, inpainter, clock, chain, steps_done):
    replay_id = studio.replays.start(chain[3])
    for _ in range(steps_done):
        studio.worker.run_next()

    after_restart = make_studio(settings, inpainter, clock)
    work_off(after_restart)

    replay = after_restart.replays.get(replay_id)
    assert replay.is_complete
    assert after_restart.replays.verdict(replay) is Verdict.EXACT
    assert after_restart.gallery.count() == 8


def test_a_step_whose_worker_died_is_queued_again_by_itself(studio, chain, clock):
    replay_id = studio.replays.start(chain[1])
    running = studio.replays.get(replay_id).steps[0].again.id
    assert studio.worker.repo.claim(running, "a worker that dies", clock())
    clock.wait(seconds=DEAD_AFTER.total_seconds() + 1)

    work_off(studio)

    replay = studio.replays.get(replay_id)
    assert replay.is_complete
    assert replay.steps[0].again.id == running


@pytest.mark.slow
def test_a_step_that_kills_its_worker_again_and_again_ends_the_replay(studio, chain, clock):
    replay_id = studio.replays.start(chain[1])
    running = studio.replays.get(replay_id).steps[0].again.id
    for _ in range(MAX_ATTEMPTS):
        assert studio.worker.repo.claim(running, "a worker that dies", clock())
        clock.wait(seconds=DEAD_AFTER.total_seconds() + 1)
        studio.worker.clear_stale()
        studio.replays.advance()

    assert studio.gallery.get(running).error_code == "WorkerDied"
    assert studio.replays.get(replay_id).ended_at is not None


@pytest.mark.slow
def test_a_step_that_earlier_versions_left_interrupted_again_and_again_waits_for_a_word(studio, chain):
    replay_id = studio.replays.start(chain[1])
    running = studio.replays.get(replay_id).steps[0].again.id
    for _ in range(MAX_INTERRUPTIONS + 1):
        interrupt(studio, running)
        studio.replays.advance()

    assert studio.gallery.get(running).status is Status.INTERRUPTED
    studio.generations.resume(running)
    work_off(studio)

    assert studio.replays.get(replay_id).is_complete


def test_however_often_it_is_looked_at_a_step_is_queued_once(studio, chain):
    studio.replays.start(chain[3])
    studio.worker.run_next()

    queued = [id for _ in range(5) for id in studio.replays.advance()]

    assert len(queued) == 1
    assert studio.gallery.count() == 6


def test_of_two_processes_that_saw_the_same_steps_only_one_moves_the_replay_on(studio, chain, clock):
    replay_id = studio.replays.start(chain[3])
    repo, [first, *_] = studio.replays.repo, studio.replays.get(replay_id).steps
    seen = repo.steps(replay_id)
    studio.worker.run_next()
    again = replace(studio.gallery.get(first.again.id), id="late", status=Status.QUEUED)

    assert not repo.begin(replay_id, seen, 1, again)
    assert not repo.resume(replay_id, seen, 0, first.again.id)
    repo.end(replay_id, seen, clock())

    assert studio.replays.get(replay_id).ended_at is None
    assert len(studio.replays.advance()) == 1


@pytest.mark.slow
def test_a_step_that_is_deleted_between_two_looks_is_found_out_at_the_next_look(studio, chain, monkeypatch):
    replay_id = studio.replays.start(chain[1])
    studio.worker.run_next()
    seen = studio.replays.repo.steps(replay_id)
    studio.gallery.trash([chain[1]])
    studio.gallery.empty_trash(all=True)
    with monkeypatch.context() as patch:
        patch.setattr(type(studio.replays.repo), "steps", lambda self, id: seen)
        assert studio.replays.advance() == []
    assert studio.replays.get(replay_id).ended_at is None

    work_off(studio)

    assert studio.replays.get(replay_id).ended_at


def test_a_step_that_fails_ends_the_replay(studio, chain, inpainter):
    replay_id = studio.replays.start(chain[3])
    studio.worker.run_next()
    inpainter.fail_with(OutOfMemory())

    work_off(studio)

    replay = studio.replays.get(replay_id)
    assert (replay.done, replay.is_complete) == (1, False)
    assert replay.ended_at
    assert replay.steps[1].again.status is Status.FAILED
    assert studio.replays.verdict(replay) is None


def test_a_replay_that_is_stopped_paints_nothing_more(studio, chain):
    replay_id = studio.replays.start(chain[3])
    studio.worker.run_next()
    studio.replays.advance()

    studio.replays.stop(replay_id)
    work_off(studio)

    replay = studio.replays.get(replay_id)
    assert replay.done == 1
    assert replay.steps[1].again.status is Status.CANCELLED


@pytest.mark.slow
def test_a_step_that_was_deleted_for_good_meanwhile_ends_the_replay(studio, chain):
    replay_id = studio.replays.start(chain[3])
    studio.gallery.trash([chain[2]])
    studio.gallery.empty_trash(all=True)

    work_off(studio)

    replay = studio.replays.get(replay_id)
    assert replay.done == 2
    assert replay.ended_at


def test_the_replays_of_a_generation_are_found_from_its_end_and_from_what_they_made(studio, chain):
    replay_id = studio.replays.start(chain[3])
    work_off(studio)
    made = studio.replays.get(replay_id).steps[2].again.id

    for id, found in ((chain[3], [replay_id]), (chain[1], []), (made, [replay_id])):
        assert [replay.id for replay in studio.replays.of(id)] == found


def test_what_has_no_result_has_no_chain_to_replay(studio):
    [id] = studio.generations.submit(a_request())

    with pytest.raises(InvalidMove, match="no chain to replay"):
        studio.replays.start(id)


@pytest.mark.slow
def test_another_machine_that_paints_otherwise_is_told_to(studio, chain):
    studio.worker.load_inpainter.inpainters["pocket-inpaint", "cpu"] = other = FakeInpainter()
    other.shift = 1

    replay_id = studio.replays.start(chain[0])
    work_off(studio)

    assert studio.replays.verdict(studio.replays.get(replay_id)) is Verdict.CLOSE
