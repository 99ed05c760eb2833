"""Jobs that an earlier run has left on a SLURM cluster."""

import subprocess
from pathlib import Path

from .errors import UserError

JOB_PREFIX = "babylogue"  # slurm-jobname-prefix in slurm/config.yaml
TIMEOUT_S = 60


def jobs_left(folder: Path) -> list[str]:
    """Ids of this user's jobs that were submitted from the folder and are waiting or running.

    Raises UserError if SLURM cannot be asked.
    """
    command = ["squeue", "--me", "--noheader", "--format=%A|%j|%Z"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
    except FileNotFoundError:
        raise UserError("squeue is not on this machine: start snakemake where sbatch and squeue are") from None
    except subprocess.TimeoutExpired:
        raise UserError(f"squeue did not answer within {TIMEOUT_S} s; is the cluster up?") from None
    except subprocess.CalledProcessError as error:
        raise UserError(f"squeue failed: {error.stderr.strip()}") from None
    jobs = (line.split("|", maxsplit=2) for line in done.stdout.splitlines())
    return [job for job, name, place in jobs if name.startswith(JOB_PREFIX) and Path(place).resolve() == folder]


def require_no_jobs_left(folder: Path) -> None:
    """Stop before two runs write the same files.

    Raises UserError, with the jobs' ids, where an earlier run whose head process is gone has left some.
    """
    if jobs := jobs_left(folder.resolve()):
        raise UserError(
            f"jobs of an earlier run still work on this folder: wait until squeue shows them no more, or end "
            f"them with `scancel {' '.join(jobs)}`; then start again"
        )
