"""Charts without what Streamlit imports to hand over their values: pandas and pyarrow, 75 MB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st


def chart(spec: Mapping[str, Any], *, height: int, alt: str) -> None:
    """A chart of Vega-Lite with its values in it, which the browser draws. alt: for those who do not see it.

    As a layer: of the values of the whole chart Streamlit makes a table of pyarrow's, a layer's own it leaves alone.
    """
    st.vega_lite_chart(spec={"layer": [dict(spec)]}, height=height, alt=alt)
