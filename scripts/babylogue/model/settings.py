"""Settings of pre-training: architecture, data, optimiser, checkpoints."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from ..settings import Settings


class ArchitectureSettings(Settings):
    """A Llama (Padovani et al. 2025: 16 layers, 16 heads, 1024 / 1024, untied, 134.8M parameters)."""

    hidden_size: int = Field(128, gt=0)
    """Width of the residual stream."""
    intermediate_size: int = Field(256, gt=0)
    """Width inside the feed-forward blocks."""
    layers: int = Field(3, gt=0)
    """Transformer blocks."""
    heads: int = Field(4, gt=0)
    """Attention heads; they share the hidden size equally."""
    tie_embeddings: bool = False
    """Whether input and output embeddings are one matrix."""
    context_tokens: int = Field(256, gt=0)
    """Longest input in tokens."""

    @model_validator(mode="after")
    def _heads_divide(self):
        if self.hidden_size % (2 * self.heads):
            raise ValueError("hidden_size must be an even multiple of heads (rotary embeddings)")
        return self


class PretrainSettings(Settings):
    """Pre-training of a language model from scratch on the pretrain part."""

    text: Literal["triplets", "sentences"] = "triplets"
    """triplets: three turns a text. sentences: the turns of the same triplets, each a text of its own."""
    adult_share: float = Field(0.0, ge=0, lt=1)
    """Share of the words that are dialogue between adults (`adult_dialogue.path`), in place of child dialogue."""
    architecture: ArchitectureSettings = ArchitectureSettings()
    """The model's shape."""
    words: int = Field(300_000, gt=0)
    """Budget: lexical words seen, counted with repeats; the corpus is repeated as often as it takes."""
    checkpoints: list[int] = [50_000, 100_000, 200_000]
    """Words seen at which a checkpoint is kept, ascending; `final` at the budget and `best` come by themselves."""
    row_tokens: int = Field(128, gt=1)
    """Length of a packed row in tokens."""
    batch_rows: int = Field(16, gt=0)
    """Packed rows in a batch."""
    learning_rate: float = Field(3e-3, gt=0)
    """Peak learning rate of AdamW."""
    final_learning_rate_share: float = Field(0.1, ge=0, le=1)
    """Share of the peak that the cosine ends at."""
    warmup_share: float = Field(0.05, ge=0, lt=1)
    """Share of the budget over which the learning rate rises linearly."""
    weight_decay: float = Field(0.1, ge=0)
    """AdamW weight decay on matrices."""
    beta1: float = Field(0.9, ge=0, lt=1)
    """AdamW's decay of the mean of gradients."""
    beta2: float = Field(0.95, ge=0, lt=1)
    """AdamW's decay of the mean of their squares."""
    epsilon: float = Field(1e-8, gt=0)
    """AdamW's epsilon."""
    max_gradient_norm: float = Field(1.0, gt=0)
    """Gradients are scaled down to this norm."""
    compile: bool = False
    """Whether torch.compile makes kernels for the model first: minutes at the start, faster steps on a GPU."""
    validations: int = Field(12, gt=0)
    """Validations spread evenly over the budget; there is one at every checkpoint besides."""
    validation_texts: int = Field(2000, gt=0)
    """Texts of the validation part that the validation loss is measured on, at most."""

    @field_validator("checkpoints")
    @classmethod
    def _ascending(cls, checkpoints: list[int]) -> list[int]:
        if checkpoints != sorted(set(checkpoints)) or any(words <= 0 for words in checkpoints):
            raise ValueError("checkpoints must be positive and ascending")
        return checkpoints

    @model_validator(mode="after")
    def _consistent(self):
        if self.checkpoints and self.checkpoints[-1] > self.words:
            raise ValueError(f"checkpoint {self.checkpoints[-1]:,} is beyond the budget of {self.words:,} words")
        if self.row_tokens > self.architecture.context_tokens:
            raise ValueError("row_tokens is longer than architecture.context_tokens")
        return self

    def text_name(self) -> str:
        """The name of the tokenised texts that the model is trained on."""
        return f"{self.text}_adult{self.adult_share:g}" if self.adult_share else self.text

    def checkpoint_names(self) -> list[str]:
        """The names under which the model's checkpoints are published."""
        return [checkpoint_name(words) for words in self.checkpoints] + ["best", "final"]

    def words_at(self) -> dict[str, int]:
        """Checkpoint -> words seen, ascending; `final` where no other has the whole budget, `best` left out."""
        seen = {checkpoint_name(words): words for words in self.checkpoints}
        return seen if self.words in self.checkpoints else seen | {"final": self.words}


def checkpoint_name(words: int) -> str:
    """BabyLM's name of a checkpoint after `words` words: 50_000 -> chck_50K, 1_000_000 -> chck_1M."""
    for size, unit in ((1_000_000, "M"), (1_000, "K")):
        if words % size == 0:
            return f"chck_{words // size}{unit}"
    return f"chck_{words}"
