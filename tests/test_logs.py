"""A job's log: the same lines on the terminal and in the file, one line for a user's mistake."""

import pytest

from babylogue.errors import UserError
from babylogue.logs import job_log, logger, progress


def test_lines_go_to_the_terminal_and_to_the_file(tmp_path, capsys):
    with job_log(tmp_path / "logs/job.log", "score base"):
        logger.info("12 items")
    assert "score base: 12 items" in (tmp_path / "logs/job.log").read_text()
    assert "score base: 12 items" in capsys.readouterr().err


def test_a_users_mistake_is_one_line_and_status_1(tmp_path):
    with pytest.raises(SystemExit) as stopped, job_log(tmp_path / "job.log", "suite zorro"):
        raise UserError("zorro.txt, line 3: empty")
    assert stopped.value.code == 1
    assert (tmp_path / "job.log").read_text().strip().endswith("suite zorro: zorro.txt, line 3: empty")


def test_a_defect_leaves_its_trace(tmp_path):
    with pytest.raises(ZeroDivisionError), job_log(tmp_path / "job.log", "job"):
        1 / 0  # noqa: B018
    assert "ZeroDivisionError" in (tmp_path / "job.log").read_text()


def test_progress_is_lines(tmp_path):
    with job_log(tmp_path / "job.log", "job"):
        for _ in progress(range(3), description="steps", unit="step", every_s=0):
            pass
    assert "3/3" in (tmp_path / "job.log").read_text().replace(".00", "")
