"""Several processes that train one model: each has its share of every batch, and gradients are added up."""

import logging
import os
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, record
from torch.distributed.launcher import LaunchConfig, elastic_launch

from ..errors import UserError
from ..logs import join_log, shared_log, terminal_for_children


def launch(function: Callable[..., Any], processes: int, *arguments: Any) -> Any:
    """Call a function of a module, in one process or in several that can reach each other; the first one's result.

    With several, each gets a GPU of its own where there are GPUs; arguments and result must be picklable.

    Raises:
        UserError: a process raised it; the others are ended.
    """
    if processes == 1:
        return function(*arguments)
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # it prints traces of its own
    one_machine = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        monitor_interval=0.5,
    )
    try:
        with terminal_for_children():
            return elastic_launch(one_machine, _worker)(shared_log(), function, arguments)[0]
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        told = failure.message if isinstance(failure.message, str) else failure.message["message"]
        kind, _, message = told.partition(": ")
        if kind == UserError.__name__:
            raise UserError(message) from None
        raise


@record
def _worker(log: list[tuple[str, str]], function: Callable[..., Any], arguments: tuple) -> Any:
    join_log(log, own_lines=os.environ["RANK"] == "0")
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        return function(*arguments)
    finally:
        dist.destroy_process_group()


def rank() -> int:
    """This process' number; 0 writes the files."""
    return dist.get_rank() if dist.is_initialized() else 0


def processes() -> int:
    """How many train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def wait_for_all() -> None:
    """Go on when every process is here."""
    if dist.is_initialized():
        dist.barrier()


def add_up(*tensors: torch.Tensor) -> None:
    """Replace tensors by their sums over all processes."""
    if dist.is_initialized():
        for work in [dist.all_reduce(tensor, async_op=True) for tensor in tensors]:
            work.wait()
