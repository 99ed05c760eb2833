"""`babylogue compare RUN RUN`: paired differences between two runs on every suite that both were scored on."""

import json
from pathlib import Path

from ..errors import UserError
from .models import add_results, kept_checkpoint, run_names
from .output import print_json, print_table

HELP = "paired differences between two runs, suite by suite"
EXAMPLES = """\
Both runs are scored on the same items, so that how hard these are cancels out.
A difference is the first run minus the second, in the metric's own unit
(percentage points for accuracies), over all seeds that both have. p is of
McNemar's test or, with several seeds, of items and seeds together; p_holm is
adjusted for the headline metric of every suite shown (Holm), other metrics have
none. A row is marked * where p_holm is below 0.05 and the 95 % interval excludes
zero. Checkpoints with the same weights have the difference 0 and no p.

examples:
  babylogue compare dpo_natural base
  babylogue compare base/final base/chck_50K --suite dialogue_words
  babylogue compare ppo_bleu dpo_natural --results results/childes_small --json
"""


def add_arguments(parser) -> None:
    """Two runs and options."""
    for name in ("a", "b"):
        parser.add_argument(
            name,
            metavar="RUN",
            help="a run of the results, at the checkpoint that it is judged by, or RUN/CHECKPOINT",
        )
    parser.add_argument("--suite", action="append", help="only this one; may be given more than once")
    add_results(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments) -> int:
    """Compare the two runs and print the table."""
    a, b = (_side(name, arguments.results) for name in (arguments.a, arguments.b))
    if a == b:
        raise UserError(f"{arguments.a} and {arguments.b}: both are {'/'.join(a)}; name two that differ")
    shared, wanted = _shared(a, b, arguments.results), arguments.suite
    if missing := [suite for suite in wanted or () if suite not in shared]:
        both = ", ".join(sorted(shared)) or "none"
        raise UserError(f"--suite {missing[0]}: both runs have no seed of it; suites that both have: {both}")
    shared = {suite: seeds for suite, seeds in sorted(shared.items()) if not wanted or suite in wanted}
    if not shared:
        raise UserError(f"{'/'.join(a)} and {'/'.join(b)}: no suite that both are scored on with the same seed")
    table, left_out = _compared(a, b, shared, arguments.results)
    if arguments.json:
        sides = {name: dict(zip(("run", "checkpoint"), side, strict=True)) for name, side in (("a", a), ("b", b))}
        rows = json.loads(table.to_json(orient="records", double_precision=15))
        print_json(sides | {"differences": rows, "not_compared": left_out})
        return 0
    print(f"a: {'/'.join(a)}   b: {'/'.join(b)}\n")
    print_table(
        ["suite", "metric", "items", "seeds", "a", "b", "a - b", "95 % interval", "p", "p_holm", ""],
        (_row(row) for row in table.to_dict("records")),
    )
    for suite in left_out:
        print(f"{suite}: not compared, it has no items that can be paired")
    return 0


def _side(name: str, results: Path) -> tuple[str, str]:
    """(run, checkpoint) that a name means.

    Raises:
        UserError: nothing of it has been scored; it says what there is.
    """
    run, _, checkpoint = name.partition("/")
    folder = results / "scores" / run
    if not run or not folder.is_dir():
        known = run_names(results / "scores") or "none"
        raise UserError(f"{name}: no run of that name is scored in {results}; there are {known}")
    scored = sorted({path.name for path in folder.glob("seed*/*") if any(path.glob("*.parquet"))})
    if not checkpoint:
        preferred = (kept_checkpoint(run, results), "final", "best")  # as the report chooses
        checkpoint = next((own for own in preferred if own in scored), "")
    if checkpoint not in scored:
        wrong = f"checkpoint {checkpoint!r} is not scored" if checkpoint else "name a checkpoint, RUN/CHECKPOINT"
        raise UserError(f"{name}: {wrong}; those of {run} that are: {', '.join(scored) or 'none'}")
    return run, checkpoint


def _shared(a: tuple[str, str], b: tuple[str, str], results: Path) -> dict[str, list[int]]:
    """Suite -> the seeds that both are scored with."""
    from ..suites.registry import NAMES

    def known(suite: str) -> bool:
        return suite in NAMES or (results / f"pairs/{suite}.parquet").exists()

    found: dict[str, list[int]] = {}
    for file in sorted((results / "scores" / a[0]).glob(f"seed*/{a[1]}/*.parquet")):
        seed, suite = file.parts[-3].removeprefix("seed"), file.stem
        if known(suite) and seed.isdigit() and _file(b, int(seed), suite, results).exists():
            found.setdefault(suite, []).append(int(seed))
    return {suite: sorted(seeds) for suite, seeds in found.items()}


def _file(side: tuple[str, str], seed: int, suite: str, results: Path) -> Path:
    return results / "scores" / side[0] / f"seed{seed}" / side[1] / f"{suite}.parquet"


def _compared(a, b, shared: dict[str, list[int]], results: Path):
    """comparisons.csv's rows of the two with the value of each, and the suites that are not compared."""
    from ..analysis.comparisons import Contrast, comparisons_table, differences, read_item_scores
    from ..suites.dialogue_pairs import pair_suite
    from ..suites.registry import NAMES, load

    rows = []
    for suite, seeds in shared.items():

        def item_scores(*side, suite=suite, seeds=seeds):
            return [_readable(read_item_scores, _file(side, seed, suite, results)) for seed in seeds]

        own = load(suite) if suite in NAMES else pair_suite(suite)
        rows += differences(own, [Contrast(*a, *b)], item_scores)
    table = comparisons_table(rows)
    keys = list(table[["suite", "metric"]].itertuples(index=False, name=None))
    for place, (name, side) in enumerate((("a", a), ("b", b)), start=table.columns.get_loc("difference")):
        table.insert(place, name, [_value(side, suite, metric, shared[suite], results) for suite, metric in keys])
    return table, [suite for suite in shared if suite not in set(table["suite"])]


def _value(side, suite: str, metric: str, seeds: list[int], results: Path) -> float:
    """The mean over seeds of a suite's metric, from its score files."""
    files = [_file(side, seed, suite, results).with_suffix(".json") for seed in seeds]
    rows = [row for file in files for row in _readable(_metric_rows, file)]
    own = [row["value"] for row in rows if (row["group"], row["metric"]) == ("all", metric)]
    return sum(own) / len(own) if own and None not in own else float("nan")


def _metric_rows(file: Path) -> list[dict]:
    return json.loads(file.read_text(encoding="utf-8"))["rows"]


def _readable(read, file: Path):
    try:
        return read(file)
    except (OSError, ValueError, KeyError) as error:  # what pyarrow and json raise among them
        raise UserError(f"{file}: it cannot be read as a score; delete it and run snakemake") from error


def _row(row: dict) -> tuple:
    return (
        row["suite"],
        row["metric"],
        row["n"],
        row["seeds"],
        f"{row['a']:.2f}",
        f"{row['b']:.2f}",
        f"{row['difference']:+.2f}",
        f"{row['ci_low']:+.2f} to {row['ci_high']:+.2f}",
        _probability(row["p"]),
        _probability(row["p_holm"]),
        "*" if row["differs"] else "",
    )


def _probability(p: float) -> str:
    if p != p:
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
