"""Proof of reproduction on the page of one generation: ask for it, watch it, read the verdict and its reasons."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from core.bootstrap import Studio
from core.domain.files.encoding import encoded
from core.domain.generation import Generation, Status, Verdict
from core.domain.geometry import Size
from core.domain.reproduction import Difference, Reproduction, Verification, heat_map
from pages.ui.generation.actions import VERIFY
from pages.ui.shell.actions import action_button
from pages.ui.shell.messages import escaped, shown_errors, tried_again
from pages.ui.shell.page import button_label, scroll_into_view
from pages.ui.shell.watching import draw_page_again
from pages.ui.shell.wording import BadgeColour, duration

BADGES: dict[Verdict, tuple[str, str, BadgeColour]] = {
    Verdict.EXACT: ("Reproduction: EXACT", ":material/verified:", "green"),
    Verdict.CLOSE: ("Reproduction: CLOSE", ":material/approval_delegation:", "blue"),
    Verdict.DIFFERENT: ("Reproduction: DIFFERENT", ":material/difference:", "orange"),
}
MEANINGS = {
    Verdict.EXACT: "Run again, the result is identical, pixel by pixel.",
    Verdict.CLOSE: "Visually identical; only rounding differs.",
    Verdict.DIFFERENT: "Run again, the result is a different picture.",
}
CHANGES_SHOWN = 30
HEAT_MAP = Size(640, 640)


def verdict_badge(generation: Generation) -> None:
    if generation.verdict is not None:
        title, icon, colour = BADGES[generation.verdict]
        st.badge(title, icon=icon, color=colour)


def verify_button(studio: Studio, generation: Generation) -> None:
    if VERIFY.suits(generation):
        is_active = any(verification.status.is_active for verification in studio.reproductions.of(generation.id)[:1])
        VERIFY.button(studio, generation, label="Verifying" if is_active else VERIFY.label, disabled=is_active)


def verdict_line(studio: Studio, generation: Generation) -> None:
    """Where Verify was pressed: how far it is, or in one line what came of it. Nothing if there is none."""
    newest = next(iter(studio.reproductions.of(generation.id)), None)
    if newest is None:
        return
    if newest.status.is_active:
        with st.container(key="verification"):
            _waiting(studio, newest.id, generation.runtime_s)
        scroll_into_view("verification", newest.id)
    elif newest.error:
        st.warning(f"It could not be verified. {escaped(newest.error)}", icon=":material/info:")
    elif newest.status is Status.CANCELLED:
        st.caption("The verification was cancelled.")
    elif newest.reproduction is not None:
        title, icon, colour = BADGES[newest.reproduction.verdict]
        took = _took_s(newest)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.badge(title, icon=icon, color=colour)
            words = MEANINGS[newest.reproduction.verdict]
            st.caption(words if took is None else f"{words} It took {duration(took)}.", width="content")


def verdict_panel(studio: Studio, generation: Generation) -> None:
    """What the newest verification found, in full. Nothing if it has found nothing."""
    verifications = studio.reproductions.of(generation.id)
    if not verifications:
        return
    newest = verifications[0]
    if newest.reproduction is not None:
        _found(studio, generation, newest, newest.reproduction)


@st.fragment(run_every=0.5)
def _waiting(studio: Studio, id: str, painted_s: float | None) -> None:
    with shown_errors():
        verification = studio.reproductions.get(id)
        if not verification.status.is_active:
            draw_page_again()
            return
        share = verification.step / verification.total if verification.total else 0.0
        st.progress(min(1.0, share), text=_how_far(verification, painted_s, studio.queue.is_paused()))
        tried_again(verification.error)
        action_button(
            button_label("Cancel", "the verification"),
            studio.reproductions.cancel,
            id,
            key=f"cancel-{id}",
            icon=":material/stop:",
        )


def _how_far(verification: Verification, painted_s: float | None, is_paused: bool) -> str:
    """painted_s: seconds that painting it took the first time."""
    if verification.status is Status.QUEUED or verification.started_at is None:
        return "Waiting to be verified: the queue is paused" if is_paused else "Waiting to be verified"
    words = "Running again to compare"
    words += f", step {verification.step} of {verification.total}" if verification.total else ", loading the model"
    words += f", for {duration(max(0.0, (datetime.now(UTC) - verification.started_at).total_seconds()))}"
    return words if painted_s is None else f"{words}; it took {duration(painted_s)} to paint"


def _took_s(verification: Verification) -> float | None:
    """Seconds from where it was begun to where it had been judged."""
    if verification.started_at is None or verification.finished_at is None:
        return None
    return (verification.finished_at - verification.started_at).total_seconds()


def _found(studio: Studio, generation: Generation, verification: Verification, reproduction: Reproduction) -> None:
    with st.expander(f"Reproduction: {reproduction.verdict}", icon=":material/fact_check:", expanded=True):
        st.markdown(MEANINGS[reproduction.verdict])
        if reproduction.verdict is not Verdict.EXACT:
            st.markdown(_describe_difference(reproduction.difference))
            if reproduction.stage:
                st.markdown(f"First difference at: **{reproduction.stage}**.")
            _heat_map(studio, generation, verification)
        if verification.restored:
            st.caption(f"Restored from the record: {', '.join(verification.restored)}.")
        if verification.not_restored:
            words = "; ".join(escaped(str(change)) for change in verification.not_restored[:CHANGES_SHOWN])
            st.caption(f"Could not be restored: {words}.")
        if reproduction.changes:
            st.markdown("Changed since then:")
            st.markdown("\n".join(f"- {escaped(str(change))}" for change in reproduction.changes[:CHANGES_SHOWN]))
            if len(reproduction.changes) > CHANGES_SHOWN:
                st.caption(f"and {len(reproduction.changes) - CHANGES_SHOWN} more")
        else:
            st.caption("Nothing recorded has changed since then.")


def _describe_difference(difference: Difference) -> str:
    psnr = f", {difference.psnr:.1f} dB" if difference.psnr is not None else ""
    outside = "unchanged" if difference.outside_equal else "**changed**"
    return (
        f"{difference.changed:.2%} of the repainted pixels differ, at most by {difference.max_difference:.2%} of the "
        f"full range{psnr}. Outside the mask: {outside}."
    )


def _heat_map(studio: Studio, generation: Generation, verification: Verification) -> None:
    if not (generation.output and verification.output):
        return
    with shown_errors():
        heat = heat_map(studio.gallery.image(generation.output), studio.gallery.image(verification.output))
        small = encoded(heat.resize(Size(*heat.size).fitted(HEAT_MAP).sides), "PNG")
        with st.container(width=320):
            st.image(small, caption="Where they differ", width="stretch", alt="Where the two pictures differ")
