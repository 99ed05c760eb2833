"""A job's log: the same lines on the terminal and in the file, one line for a user's mistake."""

import errno

import pytest

from babylogue.errors import UserError
from babylogue.logs import ProgressBar, job_log, logger, progress


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


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.ENOSPC, "No space", "out.csv"), "out.csv: No space left on device; free some space"),
        (RuntimeError("Io Error: No space left on device (os error 28)"), "job.log: No space left on device"),
        (OSError("Error writing bytes to file. Detail: [errno 28] No space"), "job.log: No space left on device"),
        (
            PermissionError(errno.EACCES, "Permission denied", "out.csv"),
            "out.csv: Permission denied; make it writable",
        ),
        (MemoryError(), "out of memory; give the job more"),
    ],
)
def test_what_the_machine_did_is_one_line(error, line, tmp_path):
    with pytest.raises(SystemExit) as stopped, job_log(tmp_path / "job.log", "job"):
        raise error
    assert stopped.value.code == 1
    (told,) = (tmp_path / "job.log").read_text().splitlines()
    assert line in told


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.parquet", b"PAR1"),
        ("a.json", b""),
        ("a.csv", b""),
        ("a.safetensors", b"\0" * 20),
        ("folder/a.json", b"{"),
    ],
)
def test_a_damaged_input_is_named(name, content, tmp_path):
    file = tmp_path / "inputs" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    (tmp_path / "inputs/sound.json").write_text("{}")
    with pytest.raises(SystemExit), job_log(tmp_path / "job.log", "job", [str(tmp_path / "inputs")]):
        raise ValueError("what a reader says")
    assert f"{tmp_path / 'inputs'} is damaged ({name}: " in (tmp_path / "job.log").read_text()
    assert "delete it and run the same command again" in (tmp_path / "job.log").read_text()


def test_sound_inputs_leave_a_defect_its_trace(tmp_path):
    (tmp_path / "sound.json").write_text("{}")
    with pytest.raises(ValueError), job_log(tmp_path / "job.log", "job", [str(tmp_path / "sound.json")]):
        raise ValueError("ours")
    assert "Traceback" in (tmp_path / "job.log").read_text()


def test_progress_is_lines(tmp_path):
    with job_log(tmp_path / "job.log", "job"):
        for _ in progress(range(3), description="steps", unit="step", every_s=0):
            pass
    assert "3/3" in (tmp_path / "job.log").read_text().replace(".00", "")


def test_progress_within_progress_is_lines_too(tmp_path):
    with job_log(tmp_path / "job.log", "job"):
        for _ in progress(range(2), description="outer", unit="step", every_s=0):
            for _ in progress(range(2), description="inner", unit="item", every_s=0):
                pass
    log = (tmp_path / "job.log").read_text()
    assert "\x1b" not in log, "no cursor moves"
    assert "outer" in log and "inner" in log
    assert all("%|" in line for line in log.splitlines())


def test_downloads_of_the_hub_are_lines(tmp_path):
    with job_log(tmp_path / "job.log", "published llama"):
        # As huggingface_hub makes its bars.
        bar = ProgressBar(desc="Downloading", total=3_000_000, unit="B", unit_scale=True, initial=0, every_s=0)
        bar.update(1_500_000)
        bar.close()
    assert "1.50M/3.00M" in (tmp_path / "job.log").read_text()
