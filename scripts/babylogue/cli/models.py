"""The model that a command line names: a folder, or a run of the workflow's results."""

import csv
import re
from argparse import ArgumentParser
from pathlib import Path

import yaml

from ..errors import UserError

_RUN = re.compile(r"(?P<run>[^/]+)(?:/seed(?P<seed>\d+))?(?:/(?P<checkpoint>[^/]+))?")
MODEL_HELP = "a model folder, or a run of the results: RUN, RUN/CHECKPOINT or RUN/seedN/CHECKPOINT"


def add_results(parser: ArgumentParser) -> None:
    """The option that says where runs are looked for."""
    parser.add_argument(
        "--results", metavar="FOLDER", type=Path, default=Path("results"), help="of the runs (default: results)"
    )


def find_model(name: str, results: Path) -> Path:
    """The model folder that `name` means.

    A folder with a config.json is itself. Else `name` is a run of `results`, as dpo_natural, dpo_natural/final or
    dpo_natural/seed1/best; without a seed the lowest that was trained, without a checkpoint the one
    that the run is judged by.

    Raises:
        UserError: there is none; it says which there are.
    """
    if (Path(name) / "config.json").is_file():
        return Path(name)
    parts = _RUN.fullmatch(name)
    run = results / "models" / parts["run"] if parts else None
    if not run or not run.is_dir():
        there = run_names(results / "models")
        known = f"runs in {results}: {there}" if there else f"{results} has no models; make them with snakemake"
        raise UserError(f"{name}: neither a model folder nor a run; {known}")
    seeds = sorted(int(path.name[4:]) for path in run.glob("seed*") if path.name[4:].isdigit())
    seed = int(parts["seed"]) if parts["seed"] else next(iter(seeds), 0)
    folder = run / f"seed{seed}"
    checkpoint = parts["checkpoint"] or kept_checkpoint(parts["run"], results)
    if not (folder / checkpoint / "config.json").is_file():
        there = ", ".join(sorted(file.parent.name for file in folder.glob("*/config.json")))
        raise UserError(
            f"{name}: {folder / checkpoint} is not there; checkpoints of seed {seed}: {there or 'none'}"
        )
    return folder / checkpoint


def run_names(folder: Path) -> str:
    """The runs that have a folder in `folder`, in a line; nothing where there is none."""
    return ", ".join(sorted(path.name for path in folder.glob("*") if path.is_dir()))


def kept_checkpoint(run: str, results: Path) -> str:
    """What a run is judged by: as models.csv of the report says, else `final` if it is pre-trained, `best` if not.

    Raises:
        UserError: models.csv cannot be read.
    """
    table = results / "report/models.csv"
    try:
        with table.open(encoding="utf-8", newline="") as file:
            judged = {row["run"]: row["checkpoint"] for row in csv.DictReader(file)}
    except FileNotFoundError:  # no report has been made yet
        judged = {}
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise UserError(f"{table}: it cannot be read; delete it and run snakemake") from error
    return judged.get(run) or _kept_by_method(results / "models" / run)


def _kept_by_method(run: Path) -> str:
    try:
        settings = min(run.glob("seed*/settings.yaml"))
        method = yaml.safe_load(settings.read_text(encoding="utf-8"))["method"]
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError):
        return "final"
    return "final" if method == "pretrain" else "best"
