"""Reference pictures as options say them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from core.bootstrap import Studio
from core.cli.pictures import read_picture
from core.domain.guide import Guide, Role
from core.services.references import reference_picture


def reference_pictures(paths: Sequence[Path]) -> tuple[Guide[Image.Image], ...]:
    """Raises InvalidImage, or InvalidParams for more than there can be."""
    return tuple(
        Guide(Role.REFERENCE, at, reference_picture(read_picture(path).image)) for at, path in enumerate(paths)
    )


def with_adapter(studio: Studio, values: Mapping[str, Any], model: str, pictures: Sequence[Any]) -> dict[str, Any]:
    """With a path that leads to the IP-Adapter from wherever the worker runs; if none is named, the only one."""
    named = values.get("ip_adapter") or ""
    if named and (path := Path(named).expanduser()).is_file():
        return {**values, "ip_adapter": str(path.absolute())}
    if named or not pictures or not studio.references.needs_adapter(model):
        return dict(values)
    return {**values, "ip_adapter": studio.references.usual(model)}
