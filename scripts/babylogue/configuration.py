"""The whole configuration: typed, checked against itself, with one line per mistake.

Only the Snakefile reads this module; rules hand each script the sub-tree that it uses.
"""

import json
from itertools import product
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator, model_validator

from .configuration_files import check_names
from .errors import UserError
from .hub import HubSettings
from .model_rows import (
    ROWS,
    DPORow,
    ModelRow,
    PretrainRow,
    PublishedRow,
    RewardedRow,
    TunedRow,
    models_in_order,
    over_defaults,
    pairs_in_order,
)
from .preferences.settings import (
    GivenPairs,
    MixedPairs,
    NaturalPairs,
    PairSettings,
    SyntaxPairs,
    SyntheticPairs,
)
from .preferences.tuning_settings import TuningSettings
from .reinforcement.rewards.registry import REWARDS, needs
from .report.settings import ReportSettings
from .settings import LocalPath, Settings
from .suites.evaluation import Evaluation
from .suites.pair_suites import is_suite
from .suites.registry import COMBINATIONS, DIALOGUE
from .suites.registry import NAMES as SUITES
from .suites.settings import SuiteSettings
from .teacher.settings import TeacherSettings
from .tokenizer.settings import TokenizerSettings
from .transcripts.settings import AdultDialogueSettings, SplitSettings, TranscriptSettings, TripletSettings

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
Name = Annotated[str, Field(pattern=NAME)]


class Configuration(Settings):
    """Everything that config.yaml and the presets over it say."""

    results: LocalPath = "results"
    """Folder that everything is written to. Here as in every path, `~` and environment variables ($HOME, ${DATA})
    are put in."""
    seeds: list[Annotated[int, Field(ge=0)]] = Field([0], min_length=1)
    """Every model is trained once with each."""
    transcripts: TranscriptSettings = TranscriptSettings()
    """Where transcripts come from."""
    adult_dialogue: AdultDialogueSettings = AdultDialogueSettings()
    """Dialogue between adults, mixed into the pre-training of rows with an `adult_share`."""
    split: SplitSettings = SplitSettings()
    """How children are divided into parts."""
    triplets: TripletSettings = TripletSettings()
    """How utterances become triplets."""
    tokenizer: TokenizerSettings = TokenizerSettings()
    """The tokenizer."""
    published: dict[Name, PublishedRow] = {}
    """Models made elsewhere, by the names used here."""
    teacher: TeacherSettings
    """Which published models write and judge replies, and how."""
    tuning: TuningSettings = TuningSettings()
    """How the tune part is divided among validation, rollouts and pairs."""
    pairs: dict[Name, PairSettings] = {}
    """Preference pairs, by name. A natural or given set with `part: test` is a suite of its name too, which
    `evaluate.scores` can list."""
    models: dict[Name, ModelRow] = Field(min_length=1)
    """The table of models."""
    suites: SuiteSettings = SuiteSettings()
    """Where benchmarks lie and how scoring runs."""
    evaluate: Evaluation
    """What is scored, and what the models are compared with."""
    report: ReportSettings = ReportSettings()
    """What the report shows beside the scores."""
    hub: HubSettings = HubSettings()
    """Where models are published, when that is asked for."""

    @field_validator("results")
    @classmethod
    def _is_a_folder_of_its_own(cls, results: str) -> str:
        if results in (".", "/"):
            raise ValueError(f"{results!r} holds other things; name a folder of its own, such as results")
        return results

    @model_validator(mode="after")
    def _consistent(self):
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds: each seed once")
        self._check_parents()
        self._check_pairs()
        self._check_models()
        self._check_published()
        self._check_evaluate()
        return self

    def _check_parents(self) -> None:
        for name, row in self.models.items():
            path = [name]
            while isinstance(row, TunedRow):
                if row.parent in path:
                    raise ValueError(f"models.{name}.parent: a cycle, {' -> '.join([*path, row.parent])}")
                path.append(row.parent)
                if row.parent in self.published:
                    break
                if row.parent not in self.models:
                    raise ValueError(
                        f"models.{path[-2]}.parent: no model {row.parent!r}; there are "
                        f"{', '.join([*self.models, *self.published])}"
                    )
                parent = self.models[row.parent]
                if row.parent_checkpoint not in parent.checkpoint_names():
                    raise ValueError(
                        f"models.{path[-2]}.parent_checkpoint: {row.parent} has no "
                        f"{row.parent_checkpoint!r}; it has {', '.join(parent.checkpoint_names())}"
                    )
                row = parent

    def _check_pairs(self) -> None:
        for name, pairs in self.pairs.items():
            based = isinstance(pairs, SyntheticPairs | SyntaxPairs)
            if based and not isinstance(self.pairs.get(pairs.base), NaturalPairs):
                raise ValueError(f"pairs.{name}.base: no natural set {pairs.base!r}")
            if isinstance(pairs, MixedPairs):
                for other in pairs.shares:
                    if not isinstance(self.pairs.get(other), NaturalPairs | SyntheticPairs | SyntaxPairs):
                        raise ValueError(f"pairs.{name}.shares: no natural, synthetic or syntax set {other!r}")
                if len(bases := {self._base(other) for other in pairs.shares}) > 1:
                    raise ValueError(
                        f"pairs.{name}.shares: built on {' and '.join(sorted(bases))}; mix sets of one base"
                    )
        for name, match in (("dialogue_words", "words"), ("dialogue_tokens", "tokens")):
            pairs = self.pairs.get(name)
            if pairs and (getattr(pairs, "part", None), getattr(pairs, "match", None)) != ("test", match):
                raise ValueError(
                    f"pairs.{name}: the suite of that name wants kind: natural, part: test, match: {match}"
                )
        for name in DIALOGUE:
            pairs = self.pairs.get(name)
            if pairs and not (isinstance(pairs, NaturalPairs | GivenPairs) and pairs.part == "test"):
                raise ValueError(f"pairs.{name}: the suite of that name wants kind: natural or given, part: test")
        for name, pairs in self.pairs.items():
            if is_suite(pairs) and name in SUITES and name not in DIALOGUE:
                raise ValueError(f"pairs.{name}: the name is taken by the suite {name}; choose another")
        if "rollouts" in self.pairs:
            raise ValueError("pairs.rollouts: the name is taken by the prompts of rollouts; choose another")

    def _base(self, name: str) -> str:
        """The natural set that a natural, synthetic, syntax or mixed set is built on."""
        pairs = self.pairs[name]
        if isinstance(pairs, SyntheticPairs | SyntaxPairs):
            return pairs.base
        return self._base(min(pairs.shares)) if isinstance(pairs, MixedPairs) else name

    def _check_models(self) -> None:
        for name, row in self.models.items():
            if isinstance(row, PretrainRow) and row.adult_share and not self.adult_dialogue.path:
                raise ValueError(f"models.{name}.adult_share: needs adult_dialogue.path, a folder of transcripts")
            if isinstance(row, DPORow):
                if row.pairs not in self.pairs:
                    raise ValueError(
                        f"models.{name}.pairs: no set {row.pairs!r}; there are {', '.join(self.pairs)}"
                    )
                if self.pairs[self._base(row.pairs)].part == "test":
                    raise ValueError(
                        f"models.{name}.pairs: {row.pairs} is of the test part; train on the tune part"
                    )
            if isinstance(row, RewardedRow):
                watched = self.pairs.get(row.heldout_pairs)
                if not isinstance(watched, NaturalPairs) or watched.part != "tune":
                    raise ValueError(
                        f"models.{name}.heldout_pairs: no natural set {row.heldout_pairs!r} of the tune part"
                    )
                for reward in [row.reward] if isinstance(row.reward, str) else row.reward:
                    if reward not in REWARDS:
                        raise ValueError(
                            f"models.{name}.reward: no reward {reward!r}; there are {', '.join(REWARDS)}, and "
                            "weighted sums such as {bleu: 0.5, grammaticality: 0.5}"
                        )
                if "dpo_model" in needs(row.reward):
                    self._check_dpo_model(name, row)

    def _check_dpo_model(self, name: str, row: RewardedRow) -> None:
        tuned = self.models.get(row.dpo_model)
        start = (row.parent, row.parent_checkpoint)
        if not isinstance(tuned, DPORow) or (tuned.parent, tuned.parent_checkpoint) != start:
            raise ValueError(
                f"models.{name}.dpo_model: the reward implicit_reward needs a row of method dpo with the parent "
                f"{row.parent} ({row.parent_checkpoint}) too, and {row.dpo_model!r} is none"
            )
        if tuned.length_normalised:
            raise ValueError(
                f"models.{name}.dpo_model: {row.dpo_model} is length_normalised, and implicit_reward is of sums"
            )

    def _check_published(self) -> None:
        for name in self.models:
            if name in self.published:
                raise ValueError(f"published.{name}: a row of models has that name too; rename one")
        for role, name in self.teacher.models().items():
            if name not in self.published:
                raise ValueError(f"teacher.{role}: no row {name!r} in published")
            if role != "writer" and self.published[name].remote:
                raise ValueError(f"teacher.{role}: {name} is a server, which can be the writer alone")
        for name, row in self.models.items():
            if isinstance(row, TunedRow) and row.parent in self.published and self.published[row.parent].remote:
                raise ValueError(f"models.{name}.parent: {row.parent} is a server, which can be no parent")
            if isinstance(row, RewardedRow) and "teacher" in needs(row.reward) and self._remote_writer():
                raise ValueError(
                    f"models.{name}.reward: {row.reward} asks the teacher for log-probabilities of other replies "
                    f"than its own, and {self.teacher.writer} is a server; set the row to null or take a model as "
                    "teacher.writer"
                )

    def _remote_writer(self) -> bool:
        return self.published[self.teacher.writer].remote is not None

    def _check_evaluate(self) -> None:
        reference = self.evaluate.reference
        if reference is not None and reference not in self.models:
            raise ValueError(
                f"evaluate.reference: no model {reference!r}; name one of {', '.join(self.models)}, or null to "
                "compare models with their parents alone"
            )
        for index, grid in enumerate(self.evaluate.scores):
            key = f"evaluate.scores.{index}"
            for suite in grid.suites:
                self._check_suite(key, suite)
            for name in grid.models or ():
                if name not in self.models:
                    raise ValueError(f"{key}.models: no model {name!r}; there are {', '.join(self.models)}")
            rows = [self.models[name] for name in grid.models or self.models]
            for checkpoint in grid.checkpoints:
                if checkpoint not in ("all", "kept") and not any(
                    checkpoint in row.checkpoint_names() for row in rows
                ):
                    raise ValueError(f"{key}.checkpoints: no model has a checkpoint {checkpoint!r}")
            for suite in grid.suites:
                if not any(self._has_score(row, name, suite) for row in rows for name in grid.checkpoints_of(row)):
                    raise ValueError(
                        f"{key}.suites: {suite} is of a pre-trained run as a whole; ask for it in a grid with the "
                        "checkpoint final and a pre-trained model"
                    )

    def _check_suite(self, key: str, suite: str) -> None:
        if suite in DIALOGUE and suite not in self.pairs:
            raise ValueError(f"pairs.{suite}: missing, and the suite of that name is scored on it")
        if suite in SUITES or is_suite(self.pairs.get(suite)):
            return
        if suite in self.pairs:
            raise ValueError(
                f"{key}.suites: the pair set {suite} is no suite; only natural and given sets with part: test are"
            )
        own = [name for name, pairs in self.pairs.items() if is_suite(pairs) and name not in SUITES]
        raise ValueError(f"{key}.suites: no suite {suite!r}; there are {', '.join([*SUITES, *own])}")

    @staticmethod
    def _has_score(row, checkpoint: str, suite: str) -> bool:
        """Whether the suite can be scored on a checkpoint of the row."""
        whole_run = suite in COMBINATIONS and COMBINATIONS[suite].whole_run
        return not whole_run or (checkpoint == "final" and bool(row.words_at()))

    def scores(self) -> list[tuple[str, int, str, str]]:
        """(run, seed, checkpoint, suite) of every score, each once."""
        wanted = {}
        for grid in self.evaluate.scores:
            for run in grid.models or self.models:
                row = self.models[run]
                for checkpoint, seed, suite in product(grid.checkpoints_of(row), self.seeds, grid.suites):
                    if self._has_score(row, checkpoint, suite):
                        wanted[run, seed, checkpoint, suite] = None
        return list(wanted)

    def reported(self) -> dict[str, str]:
        """Run -> the checkpoint that stands for it: the kept one if that is scored, else the last that is.

        A model that is not scored at all has its kept one.
        """
        scored = {(run, checkpoint) for run, _, checkpoint, _ in self.scores()}
        found = {}
        for run, row in self.models.items():
            own = [name for name in row.checkpoint_names() if (run, name) in scored]
            found[run] = row.kept if row.kept in own or not own else own[-1]
        return found

    def contrasts(self) -> list[tuple[str, str, str, str]]:
        """(run, checkpoint, against, its checkpoint) of the models that are compared, each once.

        Every model, at the checkpoint that is reported, is compared with that of the parent that it starts from,
        and with `evaluate.reference`.
        """
        reported, reference = self.reported(), self.evaluate.reference
        wanted = {}
        for run, row in self.models.items():
            if isinstance(row, TunedRow) and row.parent in self.models:
                wanted[run, reported[run], row.parent, row.parent_checkpoint] = None
            if reference not in (None, run):
                wanted[run, reported[run], reference, reported[reference]] = None
        return list(wanted)

    def in_order(self) -> "Configuration":
        """The same with its rows sorted by what they are: how files were laid over each other decides nothing."""
        tables = {
            "models": models_in_order(self.models, self.pairs, self.evaluate.reference),
            "pairs": pairs_in_order(self.pairs),
            "published": dict(sorted(self.published.items())),
        }
        return self.model_copy(update=tables)


def resolve(raw: dict[str, Any]) -> dict[str, Any]:
    """The configuration with each method's defaults under its rows, and rows set to null left out.

    Raises:
        UserError: `models`, a row or a section of defaults is no table, or a name is no text.
    """
    check_names(raw)
    raw = {key: value for key, value in raw.items() if value is not None}
    for key in ("models", "pairs", "published", *ROWS):
        if not isinstance(raw.get(key, {}), dict):
            raise UserError(f"{key}: must be a table of names, not {raw[key]!r}")
    defaults = {method: raw.pop(method, {}) for method in ROWS}
    for table in ("models", "pairs", "published"):
        raw[table] = {name: row for name, row in raw.get(table, {}).items() if row is not None}
    for name, row in raw["models"].items():
        if not isinstance(row, dict):
            raise UserError(f"models.{name}: must be a table with a method, not {row!r}")
        raw["models"][name] = over_defaults(defaults.get(str(row.get("method")), {}), row)
    return raw


def _describe(error: dict, raw: dict[str, Any]) -> str:
    """`key: what is wrong`, the key as the user wrote it."""
    place = [str(part) for part in error["loc"] if not str(part).startswith("<")]  # which form a value has
    if len(place) > 2 and place[0] in ("models", "pairs"):
        tag = place.pop(2)  # the method or kind, which the user's file does not spell as a level
        own = (raw.get("models") or {}).get(place[1])
        from_defaults = len(place) > 2 and place[2] not in (own or {}) and place[2] in (raw.get(tag) or {})
        if place[0] == "models" and from_defaults:
            place = [tag, *place[2:]]
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        message = "unknown key; see config.yaml for the keys that there are"
    elif error["type"] == "missing":
        message = "missing"
    elif error["type"] != "value_error" and "input" in error and not isinstance(error["input"], dict):
        # A check of our own says what it has to; an address may hold a password.
        if error["type"] == "string_type" and not isinstance(error["input"], list | None):
            message = f"must be text, and YAML reads it as {error['input']}; put it in quotes"
        else:
            message = f"{message}, not {error['input']!r}"
            if isinstance(error["input"], bool):
                message += " (YAML reads no, off, yes and on as booleans)"
    return f"{'.'.join(place)}: {message}" if place else message


def load_configuration(raw: dict[str, Any]) -> Configuration:
    """Check the configuration as read from YAML.

    Raises:
        UserError: one line that names the first wrong key, and how many more there are.
    """
    try:
        return Configuration.model_validate(resolve(raw)).in_order()
    except ValidationError as error:
        first, *others = error.errors(include_url=False)
        more = f" (and {len(others)} more)" if others else ""
        raise UserError(_describe(first, raw) + more) from None


REPLACED_AS_WHOLES = ("Grid", "Schedule")  # an overlay gives all of one: an entry of a list, a value by itself


def schema() -> dict[str, Any]:
    """JSON schema of config.yaml and of overlays, for an editor: names, types and ranges of what is there.

    An overlay names only what differs, and a row leans on its method's section, so no key of a table is required;
    that a key is missing from the whole is told by load_configuration alone.
    """
    whole = Configuration.model_json_schema()
    definitions = whole["$defs"]
    for method, row in ROWS.items():
        properties = definitions[row.__name__]["properties"]
        whole["properties"][method] = {
            "type": "object",
            "description": f"Settings that every row of method {method} begins with.",
            "properties": {key: value for key, value in properties.items() if key != "method"},
            "additionalProperties": False,
        }
    for name, definition in definitions.items():
        if name not in REPLACED_AS_WHOLES:
            definition.pop("required", None)
    del whole["required"]
    for table in ("models", "pairs", "published"):
        rows = whole["properties"][table]["patternProperties"]
        kinds = rows[NAME].get("oneOf", [rows[NAME]])  # without its method a row may be of several
        rows[NAME] = {"anyOf": [*kinds, {"type": "null", "description": "Leaves the row of that name out."}]}
    return whole


if __name__ == "__main__":
    print(json.dumps(schema(), indent=1))
