"""The first stage, from zips to triplets on two cores, against pylangacq alone on the same files.

python perf/transcripts.py --quick               # 2 million words of generated talk, no data from outside
python perf/transcripts.py data/childes          # real transcripts
python perf/transcripts.py data/childes --times 4    # the same files four times over: does memory grow?

The peer parses every file serially and takes its utterances out, and does nothing else. Ours reads, cleans, splits
by child and cuts triplets. Both sides run in turn in processes of their own; CPU time is user and system time of
the process and its children, peak memory the largest sum of resident sizes over the processes, sampled.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import psutil

SAMPLE_S = 0.05


def peer(root: Path) -> None:
    """pylangacq alone, with the options that real transcripts need."""
    import pylangacq

    from babylogue.transcripts.sources import find_archives, list_archive

    warnings.simplefilter("ignore")
    for archive in find_archives(root):
        for file in list_archive(archive, root):
            text = file.read().decode("utf-8-sig")
            options = {"parallel": False, "strict": False, "mor_tier": None, "gra_tier": None}
            pylangacq.CHAT.from_strs([text], **options).utterances()


def ours(root: Path) -> None:
    """The stage as its rules run it, with two processes for reading."""
    import pandas as pd

    from babylogue.transcripts.copies import find_copies
    from babylogue.transcripts.corpus import read_corpus
    from babylogue.transcripts.settings import PARTS, SplitSettings, TripletSettings
    from babylogue.transcripts.sources import find_archives
    from babylogue.transcripts.splits import split_by_child
    from babylogue.transcripts.triplets import cut_triplets

    with tempfile.TemporaryDirectory() as folder:
        utterances, transcripts, rejected = (Path(folder) / name for name in ("u.parquet", "t.parquet", "r.csv"))
        files = find_archives(root)
        read_corpus(files, root, utterances, transcripts, rejected, max_rejected_share=0.05, processes=2)
        table = pd.read_parquet(transcripts)
        split = split_by_child(table, find_copies(table), SplitSettings())
        outputs = {part: Path(folder) / f"{part}.parquet" for part in PARTS}
        cut_triplets(utterances, split, outputs, TripletSettings(), SplitSettings())


SIDES = {"pylangacq": peer, "ours": ours}


def measure(side: str, root: Path) -> dict[str, float]:
    """Wall and CPU time in s and peak memory in GB of one side in a process of its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    environment = os.environ | {"RAYON_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, __file__, str(root), "--side", side], env=environment)
    peak = 0

    def watch() -> None:
        nonlocal peak
        while process.poll() is None:
            try:
                whole = psutil.Process(process.pid)
                peak = max(peak, sum(own.memory_info().rss for own in [whole, *whole.children(recursive=True)]))
            except psutil.NoSuchProcess:
                pass
            time.sleep(SAMPLE_S)

    watcher = threading.Thread(target=watch)
    watcher.start()
    watcher.join()
    if process.wait():
        sys.exit(f"{side} failed; see above")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_s": time.perf_counter() - start, "cpu_s": cpu, "peak_gb": peak / 1e9}


def multiplied(root: Path, times: int, folder: Path) -> Path:
    """A folder in which every archive of `root` stands `times` times, as corpora of other names."""
    from babylogue.transcripts.sources import find_archives

    for archive in find_archives(root):
        for number in range(times):
            place = folder / str(number) / archive.relative_to(root)
            place = place.with_stem(f"{place.stem}_{number}") if place.suffix == ".zip" else place
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(archive.resolve())
    return folder


def generated(folder: Path) -> Path:
    """Two million words of generated talk as CHAT files."""
    from babylogue.transcripts.toy.corpora import write_toy_transcripts
    from babylogue.transcripts.toy.settings import ToySettings

    write_toy_transcripts(folder, ToySettings(words=2_000_000, children=60, transcripts_per_child=20))
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", nargs="?", type=Path, help="folder of transcripts")
    parser.add_argument("--quick", action="store_true", help="generated transcripts")
    parser.add_argument("--times", type=int, default=1, help="how often the transcripts stand in the source")
    parser.add_argument("--rounds", type=int, default=2, help="how often each side runs")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        SIDES[arguments.side](arguments.root)
        return
    if arguments.quick == bool(arguments.root):
        parser.error("name a folder of transcripts, or --quick")
    with tempfile.TemporaryDirectory() as scratch:
        root = generated(Path(scratch) / "toy") if arguments.quick else arguments.root
        if arguments.times > 1:
            root = multiplied(root, arguments.times, Path(scratch) / "times")
        runs = [{side: measure(side, root) for side in SIDES} for _ in range(arguments.rounds)]
    for number, run in enumerate(runs):
        for side, own in run.items():
            print(number, f"{side:10}", *(f"{name} {value:8.2f}" for name, value in own.items()))
    ratios = {
        "cpu_ratio": statistics.median(run["ours"]["cpu_s"] / run["pylangacq"]["cpu_s"] for run in runs),
        "wall_ratio": statistics.median(run["ours"]["wall_s"] / run["pylangacq"]["wall_s"] for run in runs),
        "peak_rss_gb": max(run["ours"]["peak_gb"] for run in runs),
    }
    print(json.dumps({name: round(value, 3) for name, value in ratios.items()}))


if __name__ == "__main__":
    main()
