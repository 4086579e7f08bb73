"""Settings: from the environment and the file .env. All bad values are reported at once, in words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from core import env_file
from core.domain.errors import InvalidSettings

PREFIX = "INPAINT_STUDIO_"


class Settings(BaseSettings):
    """Raises InvalidSettings with one sentence that names every wrong value.

    What .env says to the hub's library goes into the environment, before that library is imported.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_file_encoding="utf-8-sig",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    data: Path = Field(Path("data"), description="Folder of the gallery: database, pictures, thumbnails.")
    database_url: str | None = Field(
        None, description="Another database as an SQLAlchemy URL; default: SQLite in data."
    )
    backups: int = Field(
        7, ge=0, le=365, description="Copies of the database are kept of so many days, in data/backups; 0: none."
    )
    device: str = Field(
        "auto",
        description="auto, cpu, cuda, cuda:1, mps, xpu or openvino.",
        pattern=r"^(auto|cpu|mps|openvino|(cuda|xpu)(:\d+)?)$",
    )
    offload: Literal["auto", "whole", "model", "sequential", "group"] = Field(
        "auto",
        description=(
            "What of a model lies on a card: auto, whole, model (the part at work), sequential (the layer) or group "
            "(the layer and the next one, of a transformer)."
        ),
    )
    compile: bool = Field(
        False,
        description="Compile models that lie on a card as a whole: a minute at the first picture of each size.",
    )
    threads: int | None = Field(None, ge=1, le=256, description="CPU threads of the model; default: one per core.")
    model: str = Field(
        "pocket-inpaint", description="The model that is chosen at first: a key, file, folder or hub id."
    )
    model_folders: Annotated[tuple[Path, ...], NoDecode] = Field(
        (),
        description=(
            "Further folders with checkpoints, LoRAs and other models, or of A1111, ComfyUI or InvokeAI, with "
            f"{os.pathsep!r} between them."
        ),
    )
    max_megapixels: float = Field(100, gt=0, le=500, description="Larger uploads are refused.")
    safety_checker: bool = Field(True, description="Use the model's safety checker where it has one.")
    preview: bool = Field(True, description="Show the picture while it is made.")
    timeout_factor: float = Field(
        1,
        ge=1,
        le=1000,
        description="Slow machines: so many times longer may a step take until its worker is replaced.",
    )
    embedded_worker: bool = Field(
        True, description="The dashboard starts a worker where none is running; false: one runs elsewhere."
    )
    offline: bool = Field(False, description="Never reach for the model hub, also when asked to.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="How much is logged.")
    hf_token: SecretStr | None = Field(
        None, validation_alias="HF_TOKEN", description="Hugging Face access token, for models that ask for one."
    )

    @field_validator("model_folders", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(os.pathsep) if part.strip()] if isinstance(value, str) else value

    def __init__(self, **values: Any) -> None:
        file = values.get("_env_file", self.model_config.get("env_file"))
        said = env_file.read(Path(file)) if file else {}
        problems = env_file.problems(said)
        try:
            super().__init__(**values)
        except ValidationError as error:
            problems = [
                *_describe_problems(error),
                *problems,
            ]  # the error itself would print values, a token among them
        if problems:
            raise InvalidSettings(
                f"Some settings in the environment or in .env are wrong. {' '.join(problems)} "
                "Correct them and start again."
            )
        env_file.hand_on(said)

    @property
    def max_pixels(self) -> int:
        return int(self.max_megapixels * 1e6)

    @property
    def url(self) -> str:
        """The database as an SQLAlchemy URL."""
        return self.database_url or f"sqlite:///{(self.data / 'studio.db').absolute()}"

    @property
    def images(self) -> Path:
        return self.data / "images"

    @property
    def models(self) -> Path:
        """Checkpoints, LoRAs and other files of models, each kind in a subfolder of its own."""
        return self.data / "models"

    @property
    def prepared(self) -> Path:
        """Weights of models as they are kept in memory: what was made of their files, and can be made again."""
        return self.data / "prepared"

    @property
    def backup_folder(self) -> Path:
        return self.data / "backups"

    @property
    def wildcards(self) -> Path:
        """Text files whose lines stand for their names in a prompt."""
        return self.data / "wildcards"

    @property
    def token(self) -> str | None:
        return self.hf_token.get_secret_value().strip() or None if self.hf_token else None


def variable_of(field: str) -> str:
    """The environment variable of a setting."""
    alias = Settings.model_fields[field].validation_alias
    return str(alias) if alias else PREFIX + field.upper()


def _describe_problems(error: ValidationError) -> list[str]:
    problems = []
    for problem in error.errors(include_input=False, include_url=False):
        field = str(problem["loc"][0])
        name = variable_of(field) if field in Settings.model_fields else field
        hint = Settings.model_fields[field].description if field in Settings.model_fields else ""
        # A pattern says nothing to a reader; the description names what is taken.
        told = "not taken" if problem["type"] == "string_pattern_mismatch" else problem["msg"]
        problems.append(f"{name}: {told}. {hint}".strip())
    return problems
