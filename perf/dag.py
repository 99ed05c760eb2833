"""What Snakemake needs until it knows what to do: a dry run of the default configuration with more and more seeds,
and with more and more rows in the table of models.

    python perf/dag.py            # 1,250 to 5,000 jobs, three rounds
    python perf/dag.py --quick    # one round

The last line is a JSON object, of the slower of the two: dry_run_s_5000, seconds at 5,000 jobs; ms_per_job, the
slope over jobs; growth, the slope over the last 2,500 jobs by that over those before them, 1 where it is linear;
per_bare_snakemake, its time over that of a Snakefile that has as many jobs and nothing else in it.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

PROJECT = Path(__file__).parents[1]
JOBS = (1250, 2500, 5000)
SEEDS = 3  # of every row, where the rows grow
BARE = """
rule all:
    input: expand("out/{{n}}.txt", n=range({jobs}))

rule one:
    output: "out/{{n}}.txt"
    shell: "touch {{output}}"
"""


def overlay(kind: str, number: int) -> dict:
    """The configuration with `number` seeds, or rows."""
    if kind == "seeds":
        return {"seeds": list(range(number))}
    row = {"method": "dpo", "parent": "base", "pairs": "natural"}
    return {"seeds": list(range(SEEDS)), "models": {f"dpo_{index}": row for index in range(number)}}


def dry_run(folder: Path, *arguments: str) -> tuple[float, int]:
    """Seconds and jobs of a dry run."""
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "rules", *arguments]
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - start
    return seconds, int(re.search(r"^total\s+(\d+)", done.stdout + done.stderr, re.MULTILINE)[1])


def measure(kind: str, jobs: int, scratch: Path) -> tuple[float, int]:
    """A dry run of the project with about so many jobs."""
    per_unit = {"seeds": 51, "rows": SEEDS * 5}[kind]
    config = scratch / f"{kind}_{jobs}.yaml"
    config.write_text(yaml.safe_dump(overlay(kind, jobs // per_unit) | {"results": str(scratch / "results")}))
    return dry_run(PROJECT, "--configfile", str(config))


def measure_bare(jobs: int, scratch: Path) -> float:
    """A dry run of as many jobs without anything around them."""
    folder = scratch / f"bare_{jobs}"
    folder.mkdir(exist_ok=True)
    (folder / "Snakefile").write_text(BARE.format(jobs=jobs))
    return dry_run(folder)[0]


def main(rounds: int) -> None:
    rows = {}
    with tempfile.TemporaryDirectory() as scratch:
        for _ in range(rounds):
            for kind in ("seeds", "rows"):
                for jobs in JOBS:
                    seconds, made = measure(kind, jobs, Path(scratch))
                    rows.setdefault((kind, made), []).append((seconds, measure_bare(made, Path(scratch))))
    print(f"{'growing':<8} {'jobs':>6} {'s':>7} {'bare s':>7} {'ms a job':>9}")
    found = {}
    for (kind, jobs), measured in rows.items():
        seconds, bare = (statistics.median(column) for column in zip(*measured, strict=True))
        found.setdefault(kind, []).append((jobs, seconds, bare))
        print(f"{kind:<8} {jobs:>6} {seconds:>7.2f} {bare:>7.2f} {1000 * seconds / jobs:>9.2f}")
    slower = max(found.values(), key=lambda kind: kind[-1][1])
    (first, first_s, _), (middle, middle_s, _), (last, last_s, bare_s) = slower
    slope = (last_s - first_s) / (last - first)
    result = {
        "dry_run_s_5000": round(last_s + slope * (5000 - last), 2),
        "ms_per_job": round(1000 * slope, 2),
        "growth": round((last_s - middle_s) / (last - middle) / ((middle_s - first_s) / (middle - first)), 2),
        "per_bare_snakemake": round(last_s / bare_s, 2),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round")
    main(1 if parser.parse_args().quick else 3)
