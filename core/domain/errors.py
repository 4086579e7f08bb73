"""Everything that can go wrong in words a user can act on.

The docstring of each class is the sentence shown when it is raised without a message of its own:
what happened, then what to do.
"""

from __future__ import annotations

import inspect


class StudioError(Exception):
    """Something went wrong. Try again, and look at the log if it happens twice."""

    link: str | None = None
    """Where the user can do something about it, if there is such a page."""

    def __init__(self, message: str | None = None, *, link: str | None = None) -> None:
        super().__init__(message or inspect.cleandoc(type(self).__doc__ or "").split("\n\n")[0].replace("\n", " "))
        if link is not None:
            self.link = link

    @property
    def code(self) -> str:
        """A stable name for the row and for other tools, such as "EmptyMask"."""
        return type(self).__name__


# What the user gave ------------------------------------------------------------------------------------------


class InvalidInput(StudioError):
    """This input cannot be used. Check it and try again."""


class InvalidParams(InvalidInput):
    """A parameter is out of its range. Correct it and try again."""


class InvalidLora(InvalidParams):
    """This LoRA cannot be used. Choose another one, or paint without it."""


class InvalidControlNet(InvalidParams):
    """This ControlNet cannot be used. Choose another one, or paint without it."""


class InvalidReference(InvalidParams):
    """This reference picture, or what is to read it, cannot be used. Choose another one, or paint without it."""


class InvalidEmbedding(InvalidParams):
    """This embedding cannot be used. Choose another one, or take its name out of the prompt."""


class InvalidVae(InvalidParams):
    """This VAE cannot be used. Choose another one, or the model's own."""


class InvalidSettings(InvalidInput):
    """A setting in the environment or in .env is wrong. Correct it and start again."""


class InvalidImage(InvalidInput):
    """This file cannot be read as a picture. Use a PNG, JPEG, WEBP or AVIF file."""


class ImageTooLarge(InvalidImage):
    """This picture is too large. Make it smaller and try again."""


class InvalidMask(InvalidInput):
    """This mask cannot be used. Paint one, or upload a black and white picture: white is repainted."""


class EmptyMask(InvalidMask):
    """The mask is empty, so nothing would be repainted. Paint over what should change."""


class SizeMismatch(InvalidMask):
    """The mask and the picture have different sizes. Use a mask of the same size as the picture."""


class UnknownModel(InvalidInput):
    """There is no such model. Choose one from the list, a local file or folder, or a hub id such as owner/name."""


class DeviceUnavailable(InvalidInput):
    """This device is not available on this machine. Choose another, or 'auto'."""


class NothingFound(StudioError):
    """Nothing of this kind was found in the picture. Paint the mask instead."""


# The gallery and its files -----------------------------------------------------------------------------------


class GenerationNotFound(InvalidInput):
    """There is no such generation in this gallery. It may have been deleted."""


class InvalidMove(StudioError):
    """This generation is in a state that does not allow that. Reload the page to see where it stands."""


class StoredImageMissing(StudioError):
    """A stored picture is missing from the data folder. Restore the folder from a backup if you have one."""


class StoredImageDamaged(StudioError):
    """A stored picture no longer has the pixels that were recorded. Restore the data folder from a backup."""


class StoredImageUnreadable(StudioError):
    """A stored picture cannot be read. Check who may read the data folder."""


class ForeignFolder(StudioError):
    """The pictures in the data folder belong to another database, so none of them is tidied away or repaired. Use the
    database that belongs to them; or, if this one and they shall be one gallery: python -m core gallery adopt.
    """


class TooManyOrphans(StudioError):
    """Most of the stored files would go, as nothing in the database uses them. Nothing was moved."""


class DatabaseUnusable(StudioError):
    """The gallery's database cannot be opened or upgraded. Check the data folder and its free space."""


class DatabaseBusy(DatabaseUnusable):
    """The gallery's database is busy: another program has held it for too long. Wait a moment, then try again."""


class DatabaseConflict(StudioError):
    """Another program changed the same thing in the gallery at the same moment. Try again."""


class StorageFull(StudioError):
    """The data folder cannot be written to: the disk may be full or read-only. Make room, then run it again."""


# Models ------------------------------------------------------------------------------------------------------


class ModelUnavailable(StudioError):
    """This model cannot be loaded. Choose another one, or look at the log for the reason."""


class ModelNotDownloaded(ModelUnavailable):
    """This model is not on this machine yet. Download it first (it happens only when you ask for it)."""


class TokenMissing(ModelUnavailable):
    """This model needs a Hugging Face access token. Put HF_TOKEN=hf_... into the file .env and start again."""

    link = "https://huggingface.co/settings/tokens"


class GateNotAccepted(ModelUnavailable):
    """This model asks you to accept its licence first. Open its page, accept, and try again."""


class RepositoryGone(ModelUnavailable):
    """There is no such repository or revision on the hub. It may have been renamed or deleted."""


class NoNetwork(ModelUnavailable):
    """The model hub cannot be reached. Check the network, or choose a model that is already here."""


class UnsafeWeights(ModelUnavailable):
    """This model has no weights in the safetensors format; others can run code when loaded. Choose another model."""


class NotAnInpaintingModel(ModelUnavailable):
    """This folder or repository holds no diffusers pipeline that can inpaint. Check that it has a model_index.json."""


class DamagedModel(ModelUnavailable):
    """A file of this model is damaged or missing. Delete its folder and download it again."""


# The run -----------------------------------------------------------------------------------------------------


class OutOfMemory(StudioError):
    """There was not enough memory. Choose a smaller working size or a smaller model, or close other programs."""


class WorkerDied(StudioError):
    """The worker ended three times while painting this, perhaps for lack of memory. Choose a lower processing
    resolution or a smaller model, or close other programs, and run it again."""


class NoProgress(StudioError):
    """There was no progress for too long: the worker was replaced. Run it again."""


class ResultWithheld(StudioError):
    """The model's safety checker withheld this picture. Change the prompt or the seed and try again."""


class Busy(StudioError):
    """This model is painting another picture at this moment. Wait until it is done, then try again."""


class BrokenResult(StudioError):
    """The model returned numbers that are not a picture. Try another scheduler, or float32 instead of float16."""


class GenerationCancelled(StudioError):
    """This generation was cancelled."""
