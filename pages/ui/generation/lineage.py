"""Where a generation stands in its family: the chain that led to it, its relatives, and the chain painted again."""

from __future__ import annotations

import streamlit as st

from core.bootstrap import Studio
from core.domain.errors import StudioError
from core.domain.family import Family, FamilyMember, TreeNode
from core.domain.generation import Generation, Relation, Status, Verdict
from core.domain.geometry import Size
from core.domain.replay import Replay
from pages.ui.components.family_tree import TreeRow, family_tree
from pages.ui.components.gallery_grid import NO_PROMPT, STATUS_TITLES, TITLE_SHOWN
from pages.ui.generation.compare import Shown, overlay_slider
from pages.ui.shell import state
from pages.ui.shell.actions import action_button
from pages.ui.shell.links import GALLERY_PAGE
from pages.ui.shell.media import address
from pages.ui.shell.messages import shown_errors
from pages.ui.shell.watching import draw_page_again
from pages.ui.shell.wording import beginning, counted, when

RELATIONS = {
    Relation.RERUN: "Run again",
    Relation.VARIATION: "Variation",
    Relation.CONTINUATION: "Continued",
    Relation.UPSCALE: "Upscaled",
    Relation.IMPORT: "Imported",
}
ONWARD = (Relation.CONTINUATION, Relation.UPSCALE)

PANEL = "lineage"
"""One key for all cards: who steps along a chain keeps it open."""

COMPARE_PARAMETER = "compare"


def lineage_panel(studio: Studio, generation: Generation) -> str | None:
    """The id of a relative that was just clicked. Nothing is shown for one without relatives."""
    with shown_errors():
        family = studio.families.of(generation.id)
        replays = studio.replays.of(generation.id)
        if family.is_alone and not replays:
            return None
        # Its title never changes: by it Streamlit knows that it is the same one, and whether it is open.
        panel = st.expander("Lineage", icon=":material/account_tree:", key=PANEL, on_change="rerun")
        if not panel.open:
            return None
        with panel:
            st.caption(_describe_family(family))
            opened = _steps(family, generation)
            if len(family.chain) > 1:
                _along(studio, generation, family)
            _replays(studio, generation, family, replays)
            return family_tree(_tree_rows(studio, family, generation), key=f"tree-{generation.id}") or opened
    return None


def _describe_family(family: Family) -> str:
    relatives = len(family.tree) - 1 + sum(node.hidden for node in family.tree)
    words = counted(relatives, "relative")
    return f"{len(family.chain)} steps from the first picture, {words}" if len(family.chain) > 1 else words


# The chain -----------------------------------------------------------------------------------------------------


def _steps(family: Family, generation: Generation) -> str | None:
    """Older and newer: along the chain, and on to what was painted on this result."""
    older = family.chain[-2].id if len(family.chain) > 1 else None
    onward = [
        node.member for node in family.tree if node.member.parent_id == generation.id and node.member.relation in ONWARD
    ]
    newer = onward[-1].id if onward else None
    if older is None and newer is None:
        return None
    with st.container(horizontal=True, gap="small"):
        if st.button("Step before", icon=":material/chevron_left:", disabled=older is None, key="chain-older"):
            return older
        if st.button(
            "Step after",
            icon=":material/chevron_right:",
            icon_position="right",
            disabled=newer is None,
            key="chain-newer",
            help="The newest continuation of this result" if len(onward) > 1 else None,
        ):
            return newer
    return None


def _along(studio: Studio, generation: Generation, family: Family) -> None:
    """Any two pictures of the chain on top of each other, back to where the canvas was extended last."""
    first = max((n for n, member in enumerate(family.chain) if member.extended_from), default=0)
    keys = {"Start": family.chain[first].source}
    keys |= {
        f"Step {n}": member.output
        for n, member in enumerate(family.chain, 1)
        if n > first and member.output is not None
    }
    if len(keys) < 3:
        return
    left_at, right_at = st.select_slider(
        "Before and after along the chain", list(keys), value=("Start", list(keys)[-1]), key=f"along-{generation.id}"
    )
    size = Size(generation.width, generation.height)
    names = {"Start": "the extended picture" if first else family.chain[0].source_name or "the first picture"}
    names |= {
        f"Step {n}": beginning(member.name or "", TITLE_SHOWN) or NO_PROMPT for n, member in enumerate(family.chain, 1)
    }
    left, right = (Shown(keys[at], size, at, f"{at}: {names[at]}") for at in (left_at, right_at))
    overlay_slider(studio.gallery, left, right, f"along-{generation.id}")


# The tree ------------------------------------------------------------------------------------------------------


def _tree_rows(studio: Studio, family: Family, generation: Generation) -> list[TreeRow]:
    chain = {member.id for member in family.chain}
    return [
        TreeRow(
            id=node.member.id,
            depth=node.depth,
            title=beginning(node.member.name or "", TITLE_SHOWN) or NO_PROMPT,
            detail=_detail(node.member),
            picture=_thumbnail(studio, node.member, f"tree-{generation.id}.{n}"),
            is_current=node.member.id == generation.id,
            is_step=node.member.id in chain,
            more=_more(node),
        )
        for n, node in enumerate(family.tree)
    ]


def _detail(member: FamilyMember) -> str:
    relation = RELATIONS[member.relation] if member.relation else "First"
    if member.extended_from and member.relation is Relation.CONTINUATION:
        relation = "Extended and continued"
    parts = [relation, f"seed {member.seed}", when(member.created_at)]
    if member.status is not Status.SUCCEEDED:
        parts.insert(0, STATUS_TITLES[member.status])
    if member.in_trash:
        parts.insert(0, "In the trash")
    return " · ".join(parts)


def _thumbnail(studio: Studio, member: FamilyMember, coordinates: str) -> str | None:
    try:
        return address(studio.gallery.thumbnail(member.id, member.thumbnail), coordinates) if member.thumbnail else None
    except StudioError:
        return None


def _more(node: TreeNode) -> str | None:
    if not node.hidden:
        return None
    return f"and {node.hidden} more that came from it"


# Replays -------------------------------------------------------------------------------------------------------


def _replays(studio: Studio, generation: Generation, family: Family, replays: tuple[Replay, ...]) -> None:
    newest = replays[0] if replays else None
    if newest is not None:
        _going_on(studio, newest.id) if newest.ended_at is None else _outcome(studio, newest)
    can_replay = len(family.chain) > 1 and generation.output is not None and not generation.is_imported_picture
    if can_replay and (newest is None or newest.ended_at is not None):
        action_button(
            "Replay the whole chain",
            _replay,
            studio,
            generation.id,
            key=f"replay-{generation.id}",
            icon=":material/replay:",
            help=(
                f"Runs all {len(family.chain)} steps again from the first picture, each on the new result of the "
                "previous one, and checks whether the last picture is identical"
            ),
        )


def _replay(studio: Studio, id: str) -> None:
    studio.replays.start(id, session=state.person())


@st.fragment(run_every=1.0)
def _going_on(studio: Studio, replay_id: str) -> None:
    with shown_errors():
        replay = studio.replays.get(replay_id)
        if replay.ended_at is not None:
            draw_page_again()
            return
        total = len(replay.steps)
        st.progress(replay.done / total, text=f"Replaying the chain: {replay.done} of {total} steps done")
        if any(step.again is not None and step.again.status is Status.INTERRUPTED for step in replay.steps):
            st.caption("A step was interrupted several times. Open it in the gallery and press Continue.")
        action_button("Stop", studio.replays.stop, replay_id, key=f"stop-{replay_id}", icon=":material/stop:")


def _outcome(studio: Studio, replay: Replay) -> None:
    if not replay.is_complete:
        st.warning(
            f"The replay of {when(replay.created_at)} ended after {replay.done} of {len(replay.steps)} steps.",
            icon=":material/info:",
        )
        return
    verdict = studio.replays.verdict(replay)
    last = replay.steps[-1]
    if verdict is None:
        st.info("This chain was replayed, but the pictures to compare with have been deleted.", icon=":material/info:")
    elif verdict is Verdict.EXACT:
        st.success(
            f"Replayed on {when(replay.created_at)}: after {len(replay.steps)} steps the last picture is EXACT, "
            "identical pixel by pixel.",
            icon=":material/verified:",
        )
    else:
        st.warning(
            f"Replayed on {when(replay.created_at)}: the last picture is {verdict}. "
            f"Step {replay.first_difference} is the first that differs.",
            icon=":material/difference:",
        )
    if last.original is not None and last.again is not None:
        st.page_link(
            GALLERY_PAGE,
            label="Compare old and new",
            icon=":material/compare:",
            query_params={COMPARE_PARAMETER: [last.original.id, last.again.id]},
            width="content",
        )
