"""Files for our own components, at an address of Streamlit's media server."""

from __future__ import annotations

import base64


def address(file: bytes, coordinates: str, mime: str = "image/webp") -> str:
    """Hand the file to Streamlit's own media server, as st.image does, but as it is: no decoding, no re-encoding.

    coordinates: the place of the picture on the page, a name of its own for each.

    Not a public call of Streamlit; without a server (a test, or a release that moved it) the file travels in the page.
    """
    from streamlit import runtime

    if runtime.exists():
        return runtime.get_instance().media_file_mgr.add(file, mime, coordinates)
    return f"data:{mime};base64," + base64.b64encode(file).decode()
