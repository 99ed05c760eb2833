"""A real SLURM on the loopback address: munged, slurmctld and slurmd of our own, everything in one folder."""

import os
import secrets
import shlex
import shutil
import socket
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
CLIENTS = ("srun", "sbatch", "squeue", "scancel", "sinfo", "scontrol", "sacct", "sacctmgr")
# Debian keeps the daemons where an ordinary user's PATH does not lead.
SEARCHED = os.pathsep.join(["/usr/sbin", "/sbin", os.environ.get("PATH", os.defpath)])
TIMEOUT_S = 20

CONFIGURATION = """\
ClusterName=babylogue
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={folder}/ctld
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.%n.log
# neither cgroups nor systemd nor a database; a node may have more cores than this machine
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SwitchType=switch/none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0,sched_min_interval=0
PriorityType=priority/basic
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MinJobAge=3600
ReturnToService=2
KillWait=5
GresTypes=gpu
NodeName=c1 NodeHostname=c1 NodeAddr=127.0.0.1 Port={ports[1]} CPUs=8 RealMemory=32000 State=UNKNOWN
NodeName=g1 NodeHostname=g1 NodeAddr=127.0.0.1 Port={ports[2]} CPUs=8 RealMemory=32000 Gres=gpu:2 State=UNKNOWN
PartitionName=standard Nodes=c1 Default=YES MaxTime=2-0 State=UP
PartitionName=gpu Nodes=g1 MaxTime=2-0 State=UP
"""


def missing_programs() -> list[str]:
    """The programs of SLURM and munge that this machine lacks."""
    return [name for name in (*DAEMONS, "sbatch") if not shutil.which(name, path=SEARCHED)]


class SlurmCluster:
    """A context: node c1 in the partition standard, node g1 with two fake GPUs in the partition gpu.

    `environment` is what a client needs; daemons end with the context, and only those that it started.
    """

    def __init__(self, folder: Path):
        self.folder = folder.resolve()
        self.environment = os.environ | {
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        }

    def __enter__(self) -> "SlurmCluster":
        self._write_files()
        with ExitStack() as stack:
            munge = self.folder / "munge"
            files = {
                "key-file": "key",
                "socket": "socket",
                "pid-file": "pid",
                "seed-file": "seed",
                "log-file": "log",
            }
            options = [f"--{option}={munge / name}" for option, name in files.items()]
            self._start(stack, ["munged", "--foreground", "--force", *options])
            self._wait((munge / "socket").exists)
            self._start(stack, ["slurmctld", "-D", "-c"])
            for node in ("c1", "g1"):
                self._start(stack, ["slurmd", "-D", "-c", "-N", node])
            self._wait(lambda: self.ask("sinfo", "-h", "-N", "-t", "idle", "-o", "%N").split() == ["c1", "g1"])
            self._daemons = stack.pop_all()
        return self

    def __exit__(self, *_) -> None:
        self.ask("scancel", "--me")
        self._daemons.close()

    def ask(self, *command: str) -> str:
        """What a client of SLURM prints; nothing where it fails."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        return done.stdout if done.returncode == 0 else ""

    def jobs(self) -> list[dict[str, str]]:
        """Every job since the start, over or not, by the names that `scontrol show job` gives its fields."""
        lines = self.ask("scontrol", "show", "job", "--oneliner").splitlines()
        return [dict(field.split("=", 1) for field in shlex.split(line) if "=" in field) for line in lines]

    def _write_files(self) -> None:
        for name in ("munge", "ctld", "log", "bin"):
            (self.folder / name).mkdir(parents=True)
            (self.folder / name).chmod(0o755)
        self.folder.chmod(0o755)
        key = self.folder / "munge/key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(1024))
        with ExitStack() as stack:
            sockets = [stack.enter_context(socket.socket()) for _ in range(3)]
            for one in sockets:
                one.bind(("127.0.0.1", 0))
            ports = [one.getsockname()[1] for one in sockets]
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        values = {"host": socket.gethostname().split(".")[0], "ports": ports, "user": user, "folder": self.folder}
        (self.folder / "slurm.conf").write_text(CONFIGURATION.format(**values))
        (self.folder / "cgroup.conf").write_text("CgroupAutomount=no\n")
        for number in range(2):
            (self.folder / f"gpu{number}").symlink_to("/dev/null")
        (self.folder / "gres.conf").write_text(f"NodeName=g1 Name=gpu File={self.folder}/gpu[0-1]\n")
        # Snakemake's job steps drop every SLURM_ variable, SLURM_CONF too, before they call srun.
        for name in CLIENTS:
            file = self.folder / "bin" / name
            program = shutil.which(name, path=SEARCHED)
            file.write_text(f'#!/bin/sh\nexport SLURM_CONF={self.folder}/slurm.conf\nexec {program} "$@"\n')
            file.chmod(0o755)

    def _start(self, stack: ExitStack, command: list[str]) -> None:
        program = shutil.which(command[0], path=SEARCHED)
        log = stack.enter_context((self.folder / "log" / f"{command[0]}.out").open("ab"))
        process = subprocess.Popen([program, *command[1:]], env=self.environment, stdout=log, stderr=log)
        stack.callback(process.wait, TIMEOUT_S)
        stack.callback(process.terminate)

    def _wait(self, is_up) -> None:
        end = time.monotonic() + TIMEOUT_S
        while not is_up():
            if time.monotonic() > end:
                logs = "\n".join(file.read_text()[-1000:] for file in sorted((self.folder / "log").iterdir()))
                raise TimeoutError(f"SLURM is not up after {TIMEOUT_S} s:\n{logs}")
            time.sleep(0.05)
