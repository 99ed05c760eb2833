"""What jobs took: the files of real jobs as Snakemake writes them, and such as are damaged."""

import math

import pandas as pd
import pytest

from babylogue.benchmarks import COLUMNS, benchmark_table, duration
from babylogue.errors import UserError

HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def write(folder, name, *lines, header=HEADER):
    file = folder / f"{name}.tsv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(header + "".join(f"{line}\n" for line in lines))
    return file


def test_what_each_job_took(tmp_path):
    write(tmp_path, "scores/base/seed0/final/blimp", "12.5\t0:00:12\t800.25\t1\t1\t1\t0\t0\t98.1\t11.75")
    write(tmp_path, "split", "0.2\t0:00:00\t-\t-\t-\t-\t-\t-\t-\t-")
    write(tmp_path, "tokenizer", "0.3\t0:00:00\tNA\tNA\tNA\tNA\tNA\tNA\tNA\tNA")
    repeated = ["1.0\t0:00:01\t-\t1\t1\t1\t0\t0\t0\t-", "3.0\t0:00:03\t50.0\t1\t1\t1\t0\t0\t0\t2.5"]
    write(tmp_path, "models/base/seed0", *repeated)
    expected = pd.DataFrame(
        [
            ("models", "base/seed0", 2.0, 2.5, 50.0),
            ("scores", "base/seed0/final/blimp", 12.5, 11.75, 800.25),
            ("split", "", 0.2, math.nan, math.nan),
            ("tokenizer", "", 0.3, math.nan, math.nan),
        ],
        columns=COLUMNS,
    )
    pd.testing.assert_frame_equal(benchmark_table(tmp_path), expected)


def test_the_files_of_a_real_run_are_read_as_pandas_reads_them(small):
    folder = small.folder / "results/benchmarks"
    found = benchmark_table(folder)
    assert len(found) == len(list(folder.rglob("*.tsv"))) > 10
    for row in found.itertuples(index=False):
        file = folder / row.stage / f"{row.name}.tsv" if row.name else folder / f"{row.stage}.tsv"
        own = pd.read_csv(file, sep="\t", na_values=["-"])[["s", "cpu_time", "max_rss"]].mean()
        taken = [row.seconds, row.cpu_seconds, row.peak_memory_mb]
        assert taken == pytest.approx(own.tolist(), nan_ok=True)


def test_a_folder_that_is_not_there_has_none(tmp_path):
    found = benchmark_table(tmp_path / "none")
    assert (len(found), list(found)) == (0, COLUMNS)


@pytest.mark.parametrize(
    ("header", "lines"),
    [
        ("", []),
        (HEADER, []),
        ("s\tmax_rss\n", ["1.0\t2.0"]),
        (HEADER, ["1.0\t0:00:01"]),
        (HEADER, ["long\t0:00:01\t1\t1\t1\t1\t0\t0\t0\t1"]),
        ("s\tmax_rss\tcpu_time\n", ["1.0\t\x00\t2.0"]),
    ],
    ids=["empty", "no line", "a column less", "cut off", "no number", "no text"],
)
def test_a_file_that_is_damaged_is_named(tmp_path, header, lines):
    file = write(tmp_path, "models/base/seed0", *lines, header=header)
    with pytest.raises(UserError, match=f"^{file}: not a benchmark of Snakemake's; delete it$"):
        benchmark_table(tmp_path)


def test_durations_in_words():
    told = [duration(seconds) for seconds in (0.2, 40.4, 89, 91, 3600, 7500, math.nan)]
    assert told == ["1 s", "40 s", "89 s", "2 min", "60 min", "2 h 5 min", "\N{EN DASH}"]
