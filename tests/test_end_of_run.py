"""What a finished run leaves to look at beside the page: tables as parquet, the lines at its end."""

import pandas as pd

from babylogue.report.tables import SOURCE_COLUMNS, read_table


def test_every_table_is_parquet_too_with_the_same_values(small):
    report = small.folder / "results/report"
    tables = sorted(path.stem for path in report.glob("*.csv"))
    assert tables == sorted(path.stem for path in report.glob("*.parquet"))
    assert {"scores", "sources", "missing", "trajectory_fits"} <= set(tables)
    for table in tables:
        parquet = pd.read_parquet(report / f"{table}.parquet")
        pd.testing.assert_frame_equal(parquet, read_table(report / f"{table}.csv"))
        assert object not in set(parquet.dtypes), table
    scores = pd.read_parquet(report / "scores.parquet")
    assert (scores["seed"].dtype, scores["value"].dtype) == ("int64", "float64")


def test_names_are_texts_whatever_they_look_like(tmp_path):
    row = {"suite": "null", "files": 2, "revision": "0012", "sha256": "11e2", "as_pinned": True}
    pd.DataFrame([row], columns=SOURCE_COLUMNS).to_csv(tmp_path / "sources.csv", index=False)
    (read,) = read_table(tmp_path / "sources.csv").to_dict("records")
    assert {name: read[name] for name in row} == row
    assert read["url"] == ""
