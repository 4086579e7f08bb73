"""The one model that is loaded: two may not fit into memory."""

from __future__ import annotations

import threading

from core.domain.params import AUTO_DTYPE
from core.ports import Inpainter, LoadInpainter


class ModelCache:
    """A ports.LoadInpainter that keeps the model loaded last, and closes it before another one is loaded.

    load: loads a model each time it is called.
    """

    def __init__(self, load: LoadInpainter) -> None:
        self._load = load
        self._loading = threading.Lock()
        self._key: tuple[str, str] | None = None
        self._how: tuple[str, bool] = AUTO_DTYPE, False
        self._inpainter: Inpainter | None = None

    def __call__(self, model: str, device: str, *, dtype: str = AUTO_DTYPE, smaller: bool = False) -> Inpainter:
        with self._loading:
            if self._inpainter is None or (self._key, self._how) != ((model, device), (dtype, smaller)):
                self._put_away()
                self._key, self._how = (model, device), (dtype, smaller)
                try:
                    self._inpainter = self._load(model, device, dtype=dtype, smaller=smaller)
                finally:
                    if self._inpainter is None:
                        self._key = None
            return self._inpainter

    @property
    def loaded(self) -> tuple[str, str] | None:
        """The model that is loaded, or is being loaded at this moment, and its device."""
        return self._key

    def close(self) -> None:
        """Give the memory back. A model that is being loaded is waited for; one in use is closed when it is done."""
        with self._loading:
            self._put_away()

    def _put_away(self) -> None:
        inpainter, self._inpainter, self._key = self._inpainter, None, None
        if inpainter is not None:
            inpainter.close()
