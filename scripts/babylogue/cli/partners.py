"""A model to talk to: its history of the conversation, and what it says next."""

from collections.abc import Sequence
from pathlib import Path

from ..dialogue import TAG, speaker_tag, write_turns
from ..errors import UserError
from ..reinforcement.sampling import Reply, room_for_prompt, sample_replies, seeded_generator
from ..reinforcement.sampling_settings import SamplingSettings
from ..scoring.loading import load_model
from ..tokenizer.bpe import tag_ids
from ..tokenizer.loading import encode_open

Turn = tuple[str, str]  # speaker code, words
SHOWN_TAGS = 20


class Partner:
    """A model that replies as one speaker, and knows what has been said to it and what it said.

    Its random numbers are its own: it replies alike whoever is beside it.

    Raises:
        UserError: the folder cannot be loaded, its tokenizer has no such tag, or the settings leave no room for a
            prompt.
    """

    def __init__(self, name: str, folder: Path, speaker: str, settings: SamplingSettings, most_turns: int | None):
        self.name = name
        self.history: list[Turn] = []
        self.model, self.tokenizer = load_model(folder)
        self._speaker, self._settings, self._most_turns = speaker, settings, most_turns
        self._room = room_for_prompt(self.model, settings)
        self._generator = seeded_generator(self.model, settings.seed)
        tags = self.tokenizer.convert_ids_to_tokens(tag_ids(self.tokenizer))
        self._speakers = sorted(TAG.fullmatch(tag)[1] for tag in tags)
        self.reset()
        self.check_speakers([speaker])
        if self._room < 1:
            raise UserError(
                f"--max-new-tokens {settings.max_new_tokens}: the context of {name} is of "
                f"{self._room + settings.max_new_tokens} tokens in all; ask for fewer"
            )

    def reset(self) -> None:
        """Forget what has been said; random numbers go on."""
        self.history.clear()
        self.first = 0
        """The first turn of the history that the model sees."""
        self.full = False
        """Whether a turn has been left out because the context is full."""

    def check_speakers(self, codes: Sequence[str]) -> None:
        """Raise `UserError` for a speaker that the tokenizer has no tag of."""
        known = self._speakers
        if not known:
            raise UserError(
                f"{self.name}: its tokenizer has no speaker tags; talk to a model that was trained on dialogue"
            )
        for code in codes:
            if code not in known:
                there = ", ".join(map(speaker_tag, known[:SHOWN_TAGS]))
                more = f" and {len(known) - SHOWN_TAGS} others" if len(known) > SHOWN_TAGS else ""
                raise UserError(f"{self.name}: its tokenizer has no tag {speaker_tag(code)}; it has {there}{more}")

    def check(self, turns: Sequence[Turn]) -> None:
        """Raise `UserError` for turns that it cannot be told: of an unknown speaker, or too long by themselves."""
        self.check_speakers([code for code, _ in turns])
        if (tokens := self._tokens(turns)) > self._room:
            raise UserError(
                f"{self.name}: {tokens} tokens at once, and its context leaves {self._room}; say less at a time, "
                "or lower --max-new-tokens"
            )

    def reply(self, turns: Sequence[Turn]) -> Reply:
        """What it says to these turns, which have passed `check`, after all that went before."""
        self.history += turns
        if self._most_turns is not None:
            self.first = max(self.first, len(self.history) - self._most_turns)
        while self._tokens(self.history[self.first :]) > self._room:
            self.first, self.full = self.first + 1, True
        prompt = self._prompt(self.history[self.first :])
        (reply,) = sample_replies(self.model, self.tokenizer, [prompt], self._settings, self._generator)
        if reply.text:
            self.history.append((self._speaker, reply.text))
        return reply

    def _prompt(self, turns: Sequence[Turn]) -> str:
        codes, said = zip(*turns, strict=True)
        return f"{write_turns(codes, said)} {speaker_tag(self._speaker)}"

    def _tokens(self, turns: Sequence[Turn]) -> int:
        return len(encode_open(self.tokenizer, [self._prompt(turns)])[0])
