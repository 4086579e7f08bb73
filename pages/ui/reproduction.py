"""Verifying many generations: which ones, how far it is, what was found, and why something came out otherwise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date

import streamlit as st

from core.bootstrap import Studio
from core.domain.gallery.filter import GalleryFilter
from core.domain.generation import Verdict
from core.domain.reproduction import Batch, Overview, VerifyScope
from pages.ui.components.gallery_grid import gallery_grid
from pages.ui.generation.verdict import MEANINGS
from pages.ui.shell.actions import action_button
from pages.ui.shell.chart import chart
from pages.ui.shell.links import GALLERY_PAGE, INPAINT_PAGE, address_of
from pages.ui.shell.messages import escaped, shown_errors
from pages.ui.shell.page import button_label
from pages.ui.shell.table import Cell, table
from pages.ui.shell.waiting import wait_until
from pages.ui.shell.watching import draw_page_again
from pages.ui.shell.wording import counted

SCOPES = {
    VerifyScope.UNVERIFIED: "Not yet verified",
    VerifyScope.OTHER_ENVIRONMENT: "Made in a different environment",
    VerifyScope.ALL: "All",
}
COLOURS = {Verdict.EXACT: "#0e857a", Verdict.CLOSE: "#3566c9", Verdict.DIFFERENT: "#e0952f"}
ENVIRONMENTS_SHOWN = 5
CHANGES_SHOWN = 6
REASONS_SHOWN = 30
PICTURES_SHOWN = 24


def reproduction_view(studio: Studio) -> None:
    here: Sequence[Mapping[str, str]] = ()
    with shown_errors():
        here = studio.machine.environments()
    overview = studio.reproductions.overview(here)
    st.markdown(
        "Verifying runs a generation again with its recorded settings and compares every pixel. Do it after updating "
        "PyTorch or diffusers, or after moving to another machine."
    )
    if not overview.total:
        st.info("There is nothing to verify yet. Make something first.", icon=":material/fact_check:")
        st.page_link(INPAINT_PAGE, label="Make your first one", icon=":material/arrow_forward:")
        return
    _counts(overview)
    _choose(studio, overview, here)
    _progress(studio)
    _why(studio)
    _pictures(studio, overview)
    _history(studio)


def _counts(overview: Overview) -> None:
    with st.container(horizontal=True):
        for verdict in Verdict:
            st.metric(verdict, f"{overview.verdict(verdict):,}", help=MEANINGS[verdict], border=True, width=155)
        st.metric("Not yet verified", f"{overview.verdict(None):,}", border=True, width=155)


# Which ones ----------------------------------------------------------------------------------------------------


def _choose(studio: Studio, overview: Overview, here: Sequence[Mapping[str, str]]) -> None:
    """here: the environments of this machine; none as long as no worker has told of them."""
    st.header("Verify")
    scope = st.segmented_control(
        "Which",
        list(SCOPES),
        default=VerifyScope.UNVERIFIED,
        required=True,
        key="wanted",
        format_func=lambda scope: SCOPES[scope],
        label_visibility="collapsed",
    )
    if scope is VerifyScope.OTHER_ENVIRONMENT:
        if not here:
            wait_until(studio.machine.environments, "Checking this machine")
            return
        _environments(overview)
    count = overview.count(scope)
    words = counted(count, "generation")
    action_button(
        f"Verify {words}",
        _verify_all,
        studio,
        scope,
        here,
        key="verify-all",
        icon=":material/fact_check:",
        type="primary",
        disabled=not count,
    )
    st.caption("New pictures always go first. Pictures imported from other tools cannot be run again.")


def _verify_all(studio: Studio, scope: VerifyScope, here: Sequence[Mapping[str, str]]) -> None:
    queued = studio.reproductions.verify_all(scope, here if scope is VerifyScope.OTHER_ENVIRONMENT else ())
    waiting = "" if queued else " They are waiting already."
    st.toast(f"{len(queued):,} queued to be verified.{waiting}", icon=":material/fact_check:")


def _environments(overview: Overview) -> None:
    if not overview.other_environments:
        st.caption("Everything was made with the versions and settings of this machine.")
    for other in overview.other_environments[:ENVIRONMENTS_SHOWN]:
        changes = [escaped(str(change)) for change in other.changes]
        more = f", and {len(changes) - CHANGES_SHOWN} more" if len(changes) > CHANGES_SHOWN else ""
        st.markdown(f"- **{other.group.count:,}**: {'; '.join(changes[:CHANGES_SHOWN])}{more}")
    if len(overview.other_environments) > ENVIRONMENTS_SHOWN:
        st.caption(f"and {len(overview.other_environments) - ENVIRONMENTS_SHOWN} other environments")


# How far it is -------------------------------------------------------------------------------------------------


def _progress(studio: Studio) -> None:
    if studio.reproductions.batch().total:
        _going_on(studio)


@st.fragment(run_every=1.0)
def _going_on(studio: Studio) -> None:
    with shown_errors():
        if not batch_progress(studio):
            draw_page_again()


def batch_progress(studio: Studio) -> bool:
    """How far all verifications are, with a way to end them; nothing, and False, if there are none."""
    batch = studio.reproductions.batch()
    if batch.total:
        st.progress(batch.done / batch.total, text=_describe_batch(batch))
        if studio.queue.is_paused():
            st.caption("The queue is paused, so nothing is being verified.")
        action_button(
            button_label("Cancel", "all verifications"),
            studio.reproductions.cancel_all,
            key="cancel-batch",
            icon=":material/stop:",
        )
    return batch.total > 0


def _describe_batch(batch: Batch) -> str:
    running = f", {batch.running} being run again" if batch.running else ""
    return f"{batch.done:,} of {batch.total:,} verified{running}, {batch.waiting:,} waiting"


# What was found ------------------------------------------------------------------------------------------------


def _why(studio: Studio) -> None:
    reasons, failures = studio.reproductions.reasons(), studio.reproductions.failures()
    if not reasons and not failures:
        return
    st.header("What changed")
    if reasons:
        rows = reasons[:REASONS_SHOWN]
        columns: dict[str, list[Cell]] = {"What": [reason.words for reason in rows], "In": [r.count for r in rows]}
        columns |= {verdict: [reason.verdicts.get(verdict, 0) for reason in rows] for verdict in Verdict}
        table("Changes, with the number of verifications of each verdict", columns)
        if len(reasons) > REASONS_SHOWN:
            st.caption(f"and {len(reasons) - REASONS_SHOWN} more")
    if failures:
        st.markdown("**Could not be verified**")
        st.markdown("\n".join(f"- {n:,}: {escaped(error)}" for error, n in failures))


def _pictures(studio: Studio, overview: Overview) -> None:
    found = [verdict for verdict in reversed(Verdict) if overview.verdict(verdict)]
    if not found:
        return
    st.header("Pictures")
    chosen = st.segmented_control(
        "Verdict",
        found,
        default=found[0],
        required=True,
        key="shown-verdict",
        label_visibility="collapsed",
        format_func=lambda verdict: f"{verdict} ({overview.verdict(verdict):,})",
    )
    filter = GalleryFilter(verdicts=(chosen,))
    with shown_errors():
        page = studio.gallery.browse(filter, limit=PICTURES_SHOWN)
        answer = gallery_grid(studio.gallery, page.generations, key="reproduction", selectable=False)
        if answer.opened:
            st.switch_page(GALLERY_PAGE, query_params=address_of(answer.opened))
    label, icon = "Show all in the gallery", ":material/photo_library:"
    st.page_link(GALLERY_PAGE, label=label, icon=icon, query_params=filter.to_query())


def _history(studio: Studio) -> None:
    history = studio.reproductions.history()
    if not history:
        return
    st.header("History")
    points = [{"day": day.isoformat(), "verdict": str(verdict), "n": n} for day, verdict, n in history]
    spec = {
        "data": {"values": points},
        "mark": {"type": "bar", "cornerRadius": 2},
        "encoding": {
            "x": {"field": "day", "type": "ordinal", "title": None, "axis": {"labelAngle": 0, "labelOverlap": True}},
            "y": {"field": "n", "type": "quantitative", "title": "Verifications", "axis": {"tickMinStep": 1}},
            "color": {
                "field": "verdict",
                "type": "nominal",
                "title": None,
                "legend": {"orient": "bottom"},
                "scale": {"domain": [str(v) for v in COLOURS], "range": list(COLOURS.values())},
            },
        },
    }
    first, last = history[-1][0], history[0][0]
    chart(
        spec,
        height=260,
        alt=f"Verifications from {first:%d %b %Y} to {last:%d %b %Y} by verdict. As a table below.",
    )
    with st.expander("As a table"):
        rows: dict[date, dict[str, int]] = defaultdict(dict)
        for day, verdict, n in history:
            rows[day][verdict] = n
        columns: dict[str, list[Cell]] = {"Day (UTC)": [day.isoformat() for day in rows]}
        columns |= {verdict: [row.get(verdict, 0) for row in rows.values()] for verdict in Verdict}
        table("Verifications of each day by verdict", columns)
