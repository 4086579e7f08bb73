"""Record: what was really done for one generation, as its row, a bundle or a picture file holds it.

Written once by the worker, an inpainter or the import, and read here. Any version, other installations and strangers
may have written it: what is not of its kind counts as not told, and what has no field is kept in raw as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SkipValidation,
    Strict,
    ValidationError,
    model_validator,
)

from core.domain.files.picture import MAX_PIXELS
from core.domain.geometry import Bounds, Size

T = TypeVar("T", bound=BaseModel)

MAX_DEVICE, MAX_DTYPE, MAX_REVISION = 40, 20, 120
"""Characters that the columns of a row take."""

MAX_FACTS = 200
"""Of an environment, and characters of each."""

Fact = Annotated[str, Field(max_length=MAX_FACTS)]


def part_name(nth: int) -> str:
    """Of a part of the mask, counted from 0, in a record."""
    return f"part_{nth + 1}"


def _whole_numbers(value: Any, count: int) -> list[int]:
    if not isinstance(value, list | tuple) or len(value) != count or any(type(number) is not int for number in value):
        raise ValueError(f"{count} whole numbers are expected")
    return list(value)


def _bounds(value: Any) -> Bounds:
    return Bounds(*_whole_numbers(value, 4))


def _size(value: Any) -> Size:
    size = Size(*_whole_numbers(value, 2))
    if size.pixels > MAX_PIXELS:
        raise ValueError("no picture is as large")
    return size


class _Strict(BaseModel):
    """Values are of their very kind: True is no number, and a number no text."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)


class _WithRaw(_Strict):
    """raw: the whole mapping, also what has no field here; without what is malformed in an inner one."""

    raw: SkipValidation[Mapping[str, Any]] = {}

    @model_validator(mode="before")
    @classmethod
    def _keep(cls, values: Any) -> Any:
        return {**values, "raw": values} if isinstance(values, Mapping) else values


class RanModel(_WithRaw):
    """The model that was loaded; raw is empty until one was. repository: None for one in a local folder."""

    repository: str | None = None
    revision: Annotated[str, Field(max_length=MAX_REVISION)] | None = None


class RanFile(_Strict):
    """A LoRA that was added, an embedding that was read, a ControlNet that guided. sha256: of its file."""

    name: str
    sha256: str


class InpainterRun(_WithRaw):
    """What the inpainter did; of several passes or parts what the last pass, or the first part, did.

    scheduler: its configuration. denoise_s: seconds of its steps. loras: in the order in which they were added.
    """

    scheduler: dict[str, Any] = {}
    noise_sha256: str | None = None
    denoise_s: Annotated[float, Field(ge=0)] | None = None
    first_pass: dict[str, Any] = {}
    loras: list[RanFile] = []
    controlnet: list[RanFile] = []
    embeddings: list[RanFile] = []
    vae: list[RanFile] = []
    ip_adapter: list[RanFile] = []
    image_encoder: list[RanFile] = []

    def part(self, nth: int) -> Mapping[str, Any]:
        """What it did for one part of the mask, counted from 0; empty if it does not tell."""
        value = self.raw if nth == 0 else self.raw.get(part_name(nth))
        return value if isinstance(value, Mapping) else {}


class Colour(_Strict):
    """profile: name of the picture's colour profile."""

    profile: str | None = None


class Stated(_Strict):
    """What the file of an imported picture states.

    tool: a key of imported.TOOLS, None if it does not tell. stated: names of parameters that the file holds itself.
    seed: one that is too large for ours. raw: all the rest, as text.
    """

    tool: str | None = None
    stated: list[str] = []
    model: str | None = None
    seed: str | None = None
    raw: dict[str, str] = {}


class Record(_WithRaw):
    """Every field is None or empty where it is not told. Make one with Record.of.

    crop: the part of the picture that went through the model, at working_size. effective_steps: steps really run.
    mask_coverage: share of the picture, 0..1. parts: of the mask, where each was painted by itself.
    selection: what was found for its mask, oldest first, as Selected.origin tells it; known before anything is painted.
    inpainter: empty until it was painted. imported: of a picture that another tool made, and only of that.
    malformed: dotted names of what was told and is not of its kind.
    """

    crop: Annotated[Bounds, BeforeValidator(_bounds)] | None = None
    working_size: Annotated[Size, BeforeValidator(_size)] | None = None
    effective_steps: Annotated[int, Field(ge=0)] | None = None
    mask_coverage: Annotated[float, Field(ge=0)] | None = None
    processing_version: int | None = None
    parts: dict[str, Any] = {}
    selection: list[dict[str, Any]] = []
    colour: Colour | None = None
    outside_mask_unchanged: bool | None = None
    model: RanModel = RanModel()
    inpainter: InpainterRun = InpainterRun()
    imported: Stated | None = None
    malformed: tuple[str, ...] = ()

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Record:
        """Read what any version, or anybody, wrote. Never raises: what is not of its kind is told by malformed."""
        record, malformed = _read(cls, {name: value for name, value in raw.items() if name != "malformed"})
        # However badly it is told: it is an imported picture.
        imported = Stated() if "imported" in malformed else record.imported
        return record.model_copy(update={"raw": raw, "malformed": malformed, "imported": imported})

    @property
    def shown(self) -> dict[str, Any]:
        """All of it but what other programs wrote, which can have a million characters."""
        if self.imported is None or not isinstance(stated := self.raw["imported"], Mapping):
            return dict(self.raw)
        return {**self.raw, "imported": {name: value for name, value in stated.items() if name != "raw"}}


NO_RECORD = Record()


class SharedRecord(_Strict):
    """What a picture file of ours says about where it was made (core/metadata/ours.py), as far as a row takes it over.

    created_at: when it was asked for.
    """

    device: Annotated[str, Field(min_length=1, max_length=MAX_DEVICE)] | None = None
    dtype: Annotated[str, Field(max_length=MAX_DTYPE)] | None = None
    created_at: Annotated[AwareDatetime, Strict(False)] | None = None
    model: RanModel = RanModel()
    environment: Annotated[dict[Fact, Fact], Field(max_length=MAX_FACTS)] = {}

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> SharedRecord:
        """Read what anybody wrote. Never raises: what is not of its kind, or too long, counts as not told."""
        return _read(cls, raw)[0]


def _read(kind: type[T], values: Mapping[str, Any]) -> tuple[T, tuple[str, ...]]:
    """What is well formed, and the dotted names of what is not."""
    malformed: set[str] = set()
    while True:
        try:
            return kind.model_validate(values), tuple(sorted(malformed))
        except ValidationError as error:
            for place in {problem["loc"] for problem in error.errors(include_url=False, include_input=False)}:
                values = _without(values, place)
                malformed.add(".".join(map(str, place)))


def _without(values: Mapping[str, Any], place: tuple[int | str, ...]) -> dict[str, Any]:
    """Without the innermost value on the way to this place that has a name."""
    name, *rest = place
    inner = values.get(str(name))
    if rest and isinstance(inner, Mapping):
        return {**values, str(name): _without(inner, tuple(rest))}
    return {key: value for key, value in values.items() if key != name}
