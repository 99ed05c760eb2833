"""A pair set as the workflow builds it, against a reply drawn for every pair on its own, from the same triplets.

python perf/pairs.py --quick                      # generated talk
python perf/pairs.py results/childes_small        # 25,000 pairs from a million utterances of a finished run

Both sides find the exchanges, apply the same filters to both replies and match words, terminator, corpus, age band
and part. The peer then draws by pandas, pair by pair, a reply from those that match until one is allowed; nothing
keeps its replies in balance, which is all that it is spared. Sides run in turn, each as a whole process with its
imports, reading and writing. CPU time is that of the process, which other work on the machine touches least.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from babylogue.analysis.pair_cards import reply_only
from babylogue.dialogue import CHILD, count_words, share_words, write_turn
from babylogue.preferences.exchanges import COLUMNS, describe_replies, find_exchanges
from babylogue.preferences.natural import natural_pairs
from babylogue.preferences.settings import NaturalPairs
from babylogue.preferences.tuning import validation_families
from babylogue.preferences.tuning_settings import TuningSettings
from babylogue.transcripts.corpus import read_corpus
from babylogue.transcripts.settings import SplitSettings, TripletSettings
from babylogue.transcripts.sources import find_archives
from babylogue.transcripts.toy.corpora import write_toy_transcripts
from babylogue.transcripts.toy.settings import ToySettings
from babylogue.transcripts.triplets import cut_triplets

SEED = 0
TUNING = TuningSettings(rollout_share=0)
DRAWS = 30  # of the peer for a pair, before it gives the pair up


def families(triplets: pa.Table) -> pd.Series:
    """transcript -> its family: every transcript is a child of its own."""
    transcripts = triplets["transcript"].unique().to_pandas()
    return pd.Series(transcripts.to_numpy(), index=transcripts)


def ours(folder: Path, settings: NaturalPairs) -> pd.DataFrame:
    """The workflow's builder."""
    triplets = pq.read_table(folder / "triplets.parquet", columns=COLUMNS)
    return natural_pairs(triplets, families(triplets), settings, TUNING)[0]


def peer(folder: Path, settings: NaturalPairs) -> pd.DataFrame:
    """One random draw after the other."""
    triplets = pq.read_table(folder / "triplets.parquet", columns=COLUMNS)
    exchanges = find_exchanges(triplets)
    validation = validation_families(exchanges, families(triplets), TUNING)
    exchanges = exchanges[exchanges["turn"].map(count_words) >= settings.min_prompt_words]
    exchanges = describe_replies(exchanges, settings.age_band_months)
    exchanges = exchanges[exchanges["reply_words"] >= settings.min_reply_words]
    apart = [not share_words(pair) for pair in exchanges[["turn", "reply"]].itertuples(index=False, name=None)]
    exchanges = exchanges[apart].sample(frac=1, random_state=settings.seed)
    exchanges["part"] = np.where(exchanges["transcript"].isin(validation), "heldout", "train")
    alike = ["part", "reply_words", "corpus", "reply_terminator", "age_band"]
    pools = dict(list(exchanges.groupby(alike)["reply"]))
    true = exchanges.groupby(exchanges["turn"].str.casefold())["reply"].agg(lambda own: set(own.str.casefold()))
    pairs = []
    for row in exchanges.itertuples():
        pool = pools[tuple(getattr(row, name) for name in alike)]
        for draw in range(DRAWS):
            reply = pool.sample(random_state=len(pairs) * DRAWS + draw).iloc[0]
            if reply.casefold() not in true[row.turn.casefold()] and not share_words((row.turn, reply)):
                turns = (row.speaker, row.turn), (CHILD, row.reply), (CHILD, reply)
                pairs.append((*(write_turn(*turn) for turn in turns), row.part, row.corpus))
                break
        if len(pairs) == settings.max_pairs:
            break
    return pd.DataFrame(pairs, columns=["prompt", "chosen", "rejected", "part", "corpus"])


SIDES = {"peer": peer, "ours": ours}


def run_side(side: str, folder: Path, pairs: int) -> None:
    """One side in this process."""
    SIDES[side](folder, NaturalPairs(max_pairs=pairs, seed=SEED)).to_parquet(folder / f"{side}.parquet")


def measure(side: str, folder: Path, pairs: int) -> dict[str, float]:
    """Wall and CPU seconds and peak memory of `run_side` in a process of its own."""
    command = [sys.executable, __file__, str(folder), "--side", side, "--pairs", str(pairs)]
    start = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if status:
        sys.exit(f"{side} failed")
    return {"wall_s": wall, "cpu_s": used.ru_utime + used.ru_stime, "peak_gb": 1024 * used.ru_maxrss / 1e9}


def generated(folder: Path, words: int) -> tuple[Path, pd.DataFrame]:
    """Utterances of generated talk and its transcripts."""
    write_toy_transcripts(folder / "toy", ToySettings(words=words))
    files = [folder / name for name in ("utterances.parquet", "transcripts.parquet", "rejected.csv")]
    read_corpus(find_archives(folder / "toy"), folder / "toy", *files, max_rejected_share=0.0, processes=1)
    return files[0], pd.read_parquet(files[1], columns=["transcript", "utterances"])


def write_triplets(utterances: Path, transcripts: pd.DataFrame, folder: Path, most: int) -> int:
    """Sliding triplets of whole transcripts in random order, of `most` utterances at most; returns how many."""
    drawn = transcripts.sample(frac=1, random_state=SEED)
    drawn = drawn[drawn["utterances"].cumsum() <= most]
    wanted = [("transcript", "in", drawn["transcript"].tolist())]
    pq.write_table(pq.read_table(utterances, filters=wanted), folder / "drawn.parquet")
    split, output = drawn[["transcript"]].assign(part="tune"), {"tune": folder / "triplets.parquet"}
    cut_triplets(folder / "drawn.parquet", split, output, TripletSettings(), SplitSettings())
    return int(drawn["utterances"].sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", nargs="?", type=Path, help="folder of results with corpus/")
    parser.add_argument("--quick", action="store_true", help="generated talk, 2,000 pairs")
    parser.add_argument("--utterances", type=int, default=1_000_000, help="that the pairs are built from")
    parser.add_argument("--pairs", type=int, help="pairs at most; 25,000, or 2,000 with --quick")
    parser.add_argument("--rounds", type=int, default=3, help="how often each side runs")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        run_side(arguments.side, arguments.source, arguments.pairs)
        return
    if arguments.quick == bool(arguments.source):
        parser.error("name a folder of results, or --quick")
    pairs = arguments.pairs or (2_000 if arguments.quick else 25_000)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if arguments.quick:
            utterances, transcripts = generated(folder, 150_000)
        else:
            utterances = arguments.source / "corpus/utterances.parquet"
            transcripts = pd.read_parquet(arguments.source / "corpus/transcripts.parquet")
        many = write_triplets(utterances, transcripts, folder, arguments.utterances)
        print(f"{many:,} utterances, {pairs:,} pairs at most", flush=True)
        rounds = []
        for number in range(arguments.rounds):
            print(number, "load", *(f"{load:.1f}" for load in os.getloadavg()), flush=True)
            rounds.append({side: measure(side, folder, pairs) for side in SIDES})
            for side, own in rounds[-1].items():
                print(number, f"{side:5}", *(f"{name} {value:8.2f}" for name, value in own.items()), flush=True)
        built = {side: pd.read_parquet(folder / f"{side}.parquet") for side in SIDES}
    for side, own in built.items():
        print(f"{side}: {len(own):,} pairs; of the reply alone {reply_only(own)}")
    middle = {
        side: {name: statistics.median(own[side][name] for own in rounds) for name in rounds[0][side]}
        for side in SIDES
    }
    ratios = {
        f"{name.split('_')[0]}_ratio": round(middle["ours"][name] / middle["peer"][name], 3)
        for name in middle["ours"]
    }
    figures = {name: round(value, 2) for name, value in middle["ours"].items()}
    print(json.dumps(ratios | figures | {"pairs": len(built["ours"])}))


if __name__ == "__main__":
    main()
