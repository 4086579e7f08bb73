"""Taking pictures of other tools, and bundles, into the gallery."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from core.bootstrap import Studio
from core.domain.imported import TOOLS
from core.services.imports import ImportedFile, Result
from pages.ui.shell import state
from pages.ui.shell.messages import escaped
from pages.ui.shell.wording import counted

ENDINGS = ["png", "jpg", "jpeg", "webp", "avif", "zip"]

WORDS = {
    Result.IMPORTED: ("imported", ":material/check_circle:"),
    Result.KNOWN: ("already here", ":material/inventory_2:"),
    Result.NO_METADATA: ("skipped: no generation metadata", ":material/help:"),
    Result.REFUSED: ("refused", ":material/error:"),
}
LISTED = 50
REPORT = "import"


def import_panel(studio: Studio) -> None:
    """A form that takes files, and below it what became of each."""
    with st.form("import", clear_on_submit=True, border=False):
        files = st.file_uploader(
            "Pictures and bundles",
            ENDINGS,
            accept_multiple_files=True,
            key="import-files",
            help="PNG, JPEG, WEBP and AVIF of A1111, ComfyUI, InvokeAI, Fooocus, SD.Next, NovelAI and this program, "
            "and bundles (zip) that were exported here or elsewhere. Duplicates are skipped.",
        )
        silent = st.toggle(
            "Include pictures without metadata",
            key="import-silent",
            help="Otherwise, pictures without generation metadata are skipped.",
        )
        pressed = st.form_submit_button("Import", icon=":material/upload:", type="primary", width="stretch")
    if pressed and files:
        state.flash(REPORT, _import(studio, files, silent))
        st.rerun()
    _report(state.pop_flash(REPORT) or ())


def _import(studio: Studio, files: Sequence[UploadedFile], silent: bool) -> list[ImportedFile]:
    done = []
    with st.spinner("Importing", show_time=True):
        bar = st.progress(0.0)
        for at, file in enumerate(files, 1):
            done.append(studio.imports.import_(file, file.name, without_metadata=silent))
            bar.progress(at / len(files), text=f"{at} of {len(files)}")
    return done


def _report(done: Sequence[ImportedFile]) -> None:
    if not done:
        return
    counts = Counter(file.result for file in done)
    words = [f"{counted(n, 'file')} {WORDS[result][0]}" for result, n in counts.items()]
    st.markdown(f"**{', '.join(words)}**{_made(done)}")
    with st.container(height=240 if len(done) > 4 else "content", border=False):
        for file in done[:LISTED]:
            st.caption(_line(file))
    if len(done) > LISTED:
        st.caption(f"and {len(done) - LISTED} more")


def _made(done: Sequence[ImportedFile]) -> str:
    """How many generations came in, where they are not as many as the files."""
    imported = [file for file in done if file.result is Result.IMPORTED]
    generations = sum(len(file.ids) for file in imported)
    return f": {counted(generations, 'generation')}" if generations != len(imported) else ""


def _line(file: ImportedFile) -> str:
    words, icon = WORDS[file.result]
    line = f"{icon} {escaped(file.name)}: {words}"
    if file.result is Result.IMPORTED and file.tool:
        line += f", from {escaped(TOOLS.get(file.tool, file.tool))}"
    if len(file.ids) > 1:
        line += f", {len(file.ids)} generations"
    if file.reason and file.result is not Result.NO_METADATA:
        line += f". {escaped(file.reason)}"
    return line
