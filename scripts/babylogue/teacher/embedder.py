"""Sentence embeddings, for the similarity of a reply and a reference."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import UserError


class Embedder:
    """A sentence-transformers model, the paper's being all-MiniLM-L6-v2."""

    def __init__(self, folder: str | Path, batch_size: int = 64, device: str | None = None):
        """Load the model folder. Raises UserError for a folder that is none."""
        from sentence_transformers import SentenceTransformer

        if not (Path(folder) / "modules.json").is_file():
            raise UserError(f"{folder} is not a sentence-transformers folder (it has no modules.json)")
        self.batch_size = batch_size
        try:
            self._model = SentenceTransformer(
                str(folder), device=device, trust_remote_code=False, model_kwargs={"use_safetensors": True}
            )
        except (OSError, ValueError) as error:
            raise UserError(f"{folder} holds no sentence encoder: {str(error).splitlines()[0]}") from None

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors of texts: (n, dimensions) float32. Equal texts are embedded once."""
        unique = {text: index for index, text in enumerate(dict.fromkeys(texts))}
        vectors = self._model.encode(
            list(unique), batch_size=self.batch_size, normalize_embeddings=True, show_progress_bar=False
        )
        return vectors[[unique[text] for text in texts]]

    def similarity(self, a: Sequence[str], b: Sequence[str]) -> np.ndarray:
        """Cosine of the embeddings of a[i] and b[i]: (n,) float64 in [-1, 1]."""
        if len(a) != len(b):
            raise ValueError(f"{len(a)} texts against {len(b)}")
        both = self.vectors([*a, *b]).astype(np.float64)
        return (both[: len(a)] * both[len(a) :]).sum(axis=1)
