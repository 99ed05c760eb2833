"""What a suite is: where its data live, how they become items, how items are scored and summed up.

Items are one table, one row an item:
    item (str, unique), group (str), contexts and candidates (lists of str, the full string i is contexts[i] +
    candidates[i]), answer (int, index of the right candidate), value (float, a human number or NaN).
An item's name leads to its place: {file's stem}_{line} for JSON lines, and {what}_{number} where the suite has one
file, counted from 1. Readers refuse a missing field, a wrong type and an empty string with file, line and field.
Item scores: item, group, scores (list of float, nats), tokens (list of int), correct (bool), credit (float, 1 for
right, 0 for wrong, 1/m for a tie of m candidates that share the highest score with the right one); suites may add
scores and decisions of other rules, scores_{rule} and correct_{rule}.
Metric rows: group, metric, value, ci_low, ci_high, n; group "all" is the suite's own aggregate. Accuracies are in
percent; an end of an interval is None where there is none.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import UserError
from ..logs import logger
from ..scoring.intervals import Estimate, stratified_mean, wilson
from .sources import Source

# Rules of decision with the beginning-of-word correction -> its form (scoring/words.py).
CORRECTIONS = {"word_corrected": "boundary", "word_corrected_minicons": "minicons"}
COLUMNS = ["item", "group", "contexts", "candidates", "answer", "value"]


def score_items(
    model,
    tokenizer,
    items: pd.DataFrame,
    batch_tokens: int,
    *,
    strict: bool = False,
    bos: bool | None = None,
    rules: Iterable[str] = (),
) -> pd.DataFrame:
    """Item scores of a table of items.

    `correct` is the pipeline's rule, argmax with the first index on a tie, so that a tie with the right candidate
    in front counts; with `strict` the right candidate must score above all others. `bos` is the scorer's. `rules`
    adds strict decisions by other scores: "mean", a token, and one of CORRECTIONS, the sum with the
    beginning-of-word correction (left out, with a warning, where the tokenizer's tokens do not mark the beginning
    of a word).

    A string with no scored token (one token and none in front) has the score 0.0. Raises UserError, naming the
    item, for a string longer than the model's context.
    """
    # Slow to load; the workflow asks a suite for its files without.
    from ..scoring.scorer import Scorer
    from ..scoring.words import marks_words

    correction = next((rule for rule in rules if rule in CORRECTIONS), None)
    if correction and not marks_words(tokenizer):
        logger.warning("tokens do not mark the beginning of a word: no scores with the correction for it")
        rules, correction = [rule for rule in rules if rule != correction], None
    scorer = Scorer(
        model, tokenizer, bos=bos, word_correction=CORRECTIONS.get(correction), batch_tokens=batch_tokens
    )
    scored = scorer.log_probabilities(*(items[name].tolist() for name in ("contexts", "candidates", "item")))
    answers, scores = items["answer"].tolist(), [own.log_probability.tolist() for own in scored]
    decisions = [decide(own, answer, strict) for own, answer in zip(scores, answers, strict=True)]
    table = pd.DataFrame(
        {
            "item": items["item"].to_numpy(),
            "group": items["group"].to_numpy(),
            "scores": scores,
            "tokens": [own.tokens.tolist() for own in scored],
            "correct": [correct for correct, _ in decisions],
            "credit": [credit for _, credit in decisions],
        }
    )
    for rule in rules:
        arrays = (own.mean() if rule == "mean" else own.word_corrected().log_probability for own in scored)
        table[f"scores_{rule}"] = scores = [own.tolist() for own in arrays]
        table[f"correct_{rule}"] = [
            decide(own, answer, strict=True)[0] for own, answer in zip(scores, answers, strict=True)
        ]
    return table


def decide(scores: list[float], answer: int, strict: bool) -> tuple[bool, float]:
    """(correct, credit) of one item."""
    highest = max(scores)
    credit = 1 / scores.count(highest) if scores[answer] == highest else 0.0
    return (credit == 1 if strict else scores.index(highest) == answer), credit


def accuracy_rows(
    item_scores: pd.DataFrame, weigh: Callable[[list[str]], list[float]] | None = None
) -> list[dict]:
    """Accuracy of each group and of "all", the mean over groups weighted by `weigh(groups)` (default: equal).

    Metrics: `accuracy` (from `correct`), `accuracy_ties_half` (from `credit`), `accuracy_{rule}` (from each
    `correct_{rule}`), `ties` (how many items tie).
    """
    rows = []
    names = sorted(item_scores["group"].unique())
    groups = [item_scores[item_scores["group"] == name] for name in names]
    weights = weigh(names) if weigh else None
    columns = {"accuracy": "correct", "accuracy_ties_half": "credit"}
    columns |= {
        f"accuracy{name.removeprefix('correct')}": name for name in item_scores if name.startswith("correct_")
    }
    for metric, column in columns.items():
        credits = [group[column].to_numpy(dtype=float) for group in groups]
        for name, own in zip(names, credits, strict=True):
            rows.append(percent_row(name, metric, wilson(own)))
        rows.append(percent_row("all", metric, stratified_mean(credits, weights)))
    for name, group in [*zip(names, groups, strict=True), ("all", item_scores)]:
        ties = int(((group["credit"] > 0) & (group["credit"] < 1)).sum())
        rows.append(metric_row(name, "ties", Estimate(ties, float("nan"), float("nan"), len(group))))
    return rows


def metric_row(group: str, metric: str, estimate: Estimate) -> dict:
    """One metric row; numbers that are undefined become None, which JSON can hold."""
    numbers = [float(number) if np.isfinite(number) else None for number in estimate[:3]]
    return {"group": group, "metric": metric, **dict(zip(("value", "ci_low", "ci_high"), numbers, strict=True)),
            "n": int(estimate.n)}  # fmt: skip


def percent_row(group: str, metric: str, estimate: Estimate) -> dict:
    """A metric row of a fraction, in percent."""
    return metric_row(group, metric, Estimate(*(100 * number for number in estimate[:3]), estimate.n))


@dataclass(frozen=True)
class Suite:
    """A benchmark. What `evaluator` and `aggregator` need is in the table of items alone.

    `sources` are its files in the mirror (none for suites made from the project's own data), `needs` the names of
    the project's inputs that `reader` takes beside them: "pairs", "triplets".

    A suite that is made of other suites' item scores (registry.COMBINATIONS) has a `combiner` in place of an
    evaluator: it takes those scores, with the columns suite, checkpoint and words (seen) beside their own, and the
    suite's items, None where the suite has no sources.

    `choices`: candidates of an item, one of which is right; accuracy by chance is 100 / choices, percent.
    `has_answers`: whether a model is right or wrong on an item, by the item scores' `correct`, as it is not where
    its preferences are held against people's. `plain_text`: whether the terms allow copies of the items in plain
    text, as the report has them.
    """

    name: str
    description: str
    reader: Callable[..., pd.DataFrame] | None = None
    sources: tuple[Source, ...] = ()
    needs: tuple[str, ...] = ()
    evaluator: Callable[..., pd.DataFrame] = score_items
    aggregator: Callable[[pd.DataFrame], list[dict]] = accuracy_rows
    combiner: Callable[[pd.DataFrame, pd.DataFrame | None], pd.DataFrame] | None = None
    choices: int = 2
    has_answers: bool = True
    plain_text: bool = True

    @property
    def files(self) -> tuple[str, ...]:
        """Glob patterns of the suite's files, relative to the mirror folder."""
        return tuple(source.path for source in self.sources)

    @property
    def home(self) -> str:
        """Where to get the files: address, licence, and whether a login is needed."""
        return "; ".join(dict.fromkeys(map(str, self.sources)))

    def find(self, folder: str | Path) -> dict[Source, list[Path]]:
        """Source -> its files in a folder, sorted. Raises UserError where a source has none."""
        found = {source: source.find(folder) for source in self.sources}
        for source, files in found.items():
            if not files:
                raise UserError(f"{self.name}: no {source.path} in {folder}; get it from {source}")
        return found

    def mirror_files(self, mirror) -> list[Path]:
        """The suite's files in a mirror folder, sorted. Raises UserError if there is no mirror or no such file."""
        if mirror is None:
            raise UserError(
                f"{self.name}: needs a folder with its files, {', '.join(self.files)}; get them from {self.home}"
            )
        return [file for files in self.find(mirror).values() for file in files]

    def read(self, inputs: dict[str, list[Path]], **settings) -> pd.DataFrame:
        """Read the items. `inputs`: "mirror" -> the suite's files, and one entry for each of `needs`.

        `settings` are those of a suite that is generated.

        Raises UserError for a missing input or a malformed item (file, line and field are named).
        """
        for key in (*(("mirror",) if self.sources else ()), *self.needs):
            if not inputs.get(key):
                place = f"; get its files from {self.home}" if key == "mirror" else ""
                raise UserError(f"{self.name}: no input {key!r} given{place}")
        items = self.reader({key: [Path(path) for path in paths] for key, paths in inputs.items()}, **settings)
        if items.empty:
            raise UserError(f"{self.name}: its input files hold no item")
        return items

    def evaluate(self, model, tokenizer, items: pd.DataFrame, batch_tokens: int = 2048) -> pd.DataFrame:
        """Item scores of the model (see the module's docstring).

        Raises UserError, naming suite and item, for a string longer than the model's context.
        """
        try:
            return self.evaluator(model, tokenizer, items, batch_tokens)
        except UserError as error:
            raise UserError(f"{self.name}: {error}") from error

    def rows(self, item_scores: pd.DataFrame) -> list[dict]:
        """Metric rows from item scores (see the module's docstring)."""
        return self.aggregator(item_scores)


def items_frame(rows: Iterable[tuple]) -> pd.DataFrame:
    """The table of items from (item, group, contexts, candidates[, value]); the right candidate is index 0."""
    table = [(*row[:4], 0, row[4] if len(row) > 4 else float("nan")) for row in rows]
    return pd.DataFrame(table, columns=COLUMNS)
