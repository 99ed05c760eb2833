"""`babylogue status`: what of the configured table exists, what is stale and why, how long the rest will take."""

from argparse import ArgumentTypeError
from collections.abc import Sequence

from .cores import available_cores
from .output import print_json, print_table
from .plan import read_plan
from .reasons import some

HELP = "what exists of the configured models, what is stale and why, how long the rest takes"
EXAMPLES = """\
Run it in the folder where you run snakemake, with the same --configfile. It asks
Snakemake what is left to do and changes nothing; the results folder is that of
the configuration.

made/wanted  files that are there and up to date, of those that are wanted
stale        files that are there and will be made again; `why` says what changed,
             in the job itself or, after a file's name, in one that it rests on
removed      files that are not there and that nothing left to do asks for
left         what such jobs took before, by results/benchmarks: the same job if it
             has run, else the median of its kind (models by one method, scores on
             one suite, jobs of one stage). An estimate: settings may differ.

examples:
  babylogue status
  babylogue status --configfile presets/childes_small.yaml --cores 8
  babylogue status --json
"""


def add_arguments(parser) -> None:
    """Configuration files and options."""
    parser.add_argument(
        "--configfile", metavar="FILE", nargs="+", action="extend", default=[], help="as snakemake takes them"
    )
    parser.add_argument(
        "--cores", type=_cores, default=available_cores(), help="cores that the rest will run on (default: all)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _cores(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise ArgumentTypeError(f"a number of cores, not {text!r}")
    return int(text)


def run(arguments) -> int:
    """Ask Snakemake and print the tables."""
    plan = read_plan(arguments.configfile, arguments.cores)
    # Slow to load.
    from .overview import overview

    found = overview(plan, _configuration(arguments.configfile), arguments.cores)
    if arguments.json:
        print_json(found)
    else:
        _show(found)
    return 0


def _configuration(configfiles: Sequence[str]):
    """config.yaml with the files over it, as Snakemake lays them."""
    from snakemake.common.configfile import load_configfile
    from snakemake.utils import update_config

    from ..configuration import load_configuration

    merged = {}
    for file in ("config.yaml", *configfiles):
        update_config(merged, load_configfile(file))
    return load_configuration(merged)


def _show(found: dict) -> None:
    for line in found["warnings"]:
        print(line)
    if found["locked"]:
        print("Locked: a run is at work here, or one was killed; after a killed one run snakemake --unlock.")
    print_table(
        ["model", "method", "parent", "seeds", "checkpoints", "scores", "left", "why"],
        (
            (
                row["model"],
                row["method"],
                row["parent"] or "",
                " ".join(map(str, row["seeds"])),
                _counts(row["checkpoints"]),
                _counts(row["scores"]),
                *_left(row),
            )
            for row in found["models"]
        ),
    )
    print()
    print_table(
        ["stage", "files", "left", "why"],
        ((row["stage"], _counts(row["files"]), *_left(row)) for row in found["stages"]),
    )
    print()
    if not found["jobs_left"]:
        print(f"Nothing is left to do. The report is {found['report']}.")
        return
    print(f"{found['jobs_left']} jobs are left, {_time(found)} on {found['cores']} cores.")
    if found["unmeasured"]:
        print(f"None has been measured yet of: {', '.join(found['unmeasured'])}.")


def _counts(files: dict[str, int]) -> str:
    others = (f", {files[name]} {name}" for name in ("stale", "removed") if files[name])
    return f"{files['made']}/{sum(files.values())}" + "".join(others)


def _left(row: dict) -> tuple[str, str]:
    """How long, and why, as cells."""
    return (_time(row) if row["jobs_left"] else "", some(row["why"], "; "))


def _time(row: dict) -> str:
    """`about 3 min`, `over 3 min`, `time unknown`."""
    from ..benchmarks import duration  # slow to load

    if row["unmeasured"]:
        return f"over {duration(row['seconds_left'])}" if row["seconds_left"] else "time unknown"
    return f"about {duration(row['seconds_left'])}"
