"""Home, and the application: Streamlit imports this file when the server starts, and runs it at each visit of Home."""

from __future__ import annotations

import streamlit as st

if __name__ != "__main__":
    from pages.ui.shell.server import lifespan

    app = st.App(__file__, lifespan=lifespan)
else:
    # Not before there is a server: components register themselves in it.
    from pages.ui.home import home_page

    home_page()
