"""The last lines of a run: what was made, what was left out and why, where to look."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ..provenance import commit
from .tables import read_table


def ending(results: str | Path, runs: Sequence[str], seeds: Sequence[int], *, talk_to: str) -> str:
    """What a run that made the report says at its end.

    Args:
        results: folder of the results, in which report/ and corpus/ are whole.
        runs: rows of the table of models.
        seeds: that each was trained with.
        talk_to: the run that `babylogue chat` is shown with.
    """
    results = Path(results)
    report = results / "report"
    scores = read_table(report / "scores.csv")[["run", "seed", "checkpoint", "suite"]].drop_duplicates()
    code = f", with the code of commit {made_by}" if (made_by := commit()) else ""
    folder = "" if results == Path("results") else f" --results {results}"
    lines = [
        f"Done. The report is {report}/index.html, its table {report}/scores.csv.",
        f"Made: {_count(len(runs), 'model')} with {_count(len(seeds), 'seed')}, {_count(len(scores), 'score')} on "
        f"{_count(scores['suite'].nunique(), 'suite')}{code}.",
        *(f"Left out: {line}" for line in _left_out(results)),
        f"Look at: {report}/*.csv and *.parquet, tables; {results}/models/RUN/seedN/README.md, cards of models.",
        f"Go on: `babylogue chat {talk_to}{folder}`, to talk to a model; `babylogue status`, for what is stale.",
    ]
    return "\n".join(lines)


def stopped(results: str | Path) -> str:
    """What a run says that a failed job has stopped."""
    return (
        f"Not done. Each job that failed is named above with its log in {results}/logs, whose last lines say why. "
        "What is made stays, and trainings go on where they were: run the same command again."
    )


def _left_out(results: Path) -> list[str]:
    """A line for each reason why suites are missing, one for transcripts, one for each run that was stopped."""
    missing = read_table(results / "report/missing.csv")
    lines = [f"{', '.join(own['suite'])}: {reason}." for reason, own in missing.groupby("reason", sort=False)]
    if rejected := len(pd.read_csv(results / "corpus/rejected.csv")):
        lines.append(f"{_count(rejected, 'transcript')}, which could not be read: {results}/corpus/rejected.csv.")
    runs = read_table(results / "report/rewarded_runs.csv")
    return lines + [
        f"the rest of {row.run}, seed {row.seed}, which its guard stopped at step {row.final_step}: {row.stopped}."
        for row in runs[runs["stopped"] != ""].itertuples()
    ]


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
