"""Minimal pairs scored by our scorer and by minicons, with the beginning-of-word correction, by the same model.

python perf/scoring.py --quick                             # generated talk and pairs, no data from outside
python perf/scoring.py results/childes_small --mirror data # a finished run's tokenizer and pairs, and BLiMP

The model is a Llama of 5 million parameters with random weights, large enough that decisions differ from chance.
minicons scores one pair at a time, and all strings in batches of several sizes, of which the fastest counts; ours
is the evaluation of a suite as the workflow runs it, with and without the correction in one pass. Sides run in
turn in processes of their own, on the same pairs. Peak memory of ours is measured on a tenth of the second suite
and on all of it, with a mirror the whole of BLiMP. Each round prints the machine's load.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import pandas as pd
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig

from babylogue.dialogue import write_turn
from babylogue.model.device import prepare_device
from babylogue.suites import registry
from babylogue.suites.base import items_frame, score_items

SUITES = ("dialogue", "blimp")
BATCHES = (8, 16, 32, 64, 128)  # strings in a batch of the peer
SEED = 0
WEIGHTS = 0.08  # standard deviation of the weights


def write_model(folder: Path, tokenizer) -> None:
    """The model that both sides load."""
    torch.manual_seed(SEED)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=688,
        num_hidden_layers=4,
        num_attention_heads=8,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, WEIGHTS)
    print(f"{model.num_parameters() / 1e6:.2f} million parameters", flush=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def ours(model, tokenizer, items: pd.DataFrame) -> tuple[float, list[bool]]:
    """(Pairs a second, decisions) of the evaluation of a suite."""
    start = time.perf_counter()
    scores = score_items(model, tokenizer, items, 2048, strict=True, rules=("word_corrected_minicons",))
    return len(items) / (time.perf_counter() - start), scores["correct_word_corrected_minicons"].tolist()


def minicons(model, tokenizer, items: pd.DataFrame, batch: int) -> tuple[float, list[bool]]:
    """The same of minicons with `batch` strings at a time."""
    from minicons.scorer import IncrementalLMScorer

    peer = IncrementalLMScorer(model, "cpu", tokenizer=tokenizer)
    texts = [
        context + candidate
        for contexts, candidates in zip(items["contexts"], items["candidates"], strict=True)
        for context, candidate in zip(contexts, candidates, strict=True)
    ]
    start = time.perf_counter()
    scores = []
    for first in range(0, len(texts), batch):
        scores += peer.sequence_score(
            texts[first : first + batch], reduction=lambda x: x.sum().item(), bow_correction=True
        )
    took = time.perf_counter() - start
    return len(items) / took, [good > bad for good, bad in zip(scores[::2], scores[1::2], strict=True)]


def one_at_a_time(model, tokenizer, items: pd.DataFrame) -> tuple[float, list[bool]]:
    """minicons, one pair at a time."""
    return minicons(model, tokenizer, items, 2)


def batched(model, tokenizer, items: pd.DataFrame) -> tuple[float, list[bool]]:
    """minicons in batches of the size that is fastest."""
    return max((minicons(model, tokenizer, items, batch) for batch in BATCHES), key=lambda found: found[0])


SIDES = {"minicons": one_at_a_time, "minicons_batched": batched, "ours": ours}


def run_side(side: str, folder: Path, pairs: int | None, threads: int, suites: tuple[str, ...]) -> None:
    """One side in this process; prints pairs a second and decisions of each suite and peak memory as JSON."""
    warnings.simplefilter("ignore")
    prepare_device(threads)
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    found = {}
    for suite in suites:
        items = pd.read_parquet(folder / f"{suite}.parquet")[:pairs]
        SIDES[side](model, tokenizer, items[:16])  # the first call sets up threads and memory
        found[suite] = SIDES[side](model, tokenizer, items)
    peak_gb = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e9
    print(json.dumps({"suites": found, "peak_gb": peak_gb}))


def measure(side: str, folder: Path, pairs: int | None, threads: int, suites: tuple[str, ...] = SUITES) -> dict:
    """`run_side` in a process of its own."""
    command = [sys.executable, __file__, str(folder), "--side", side, "--threads", str(threads)]
    command += ["--suites", *suites, *(["--pairs", str(pairs)] if pairs else [])]
    process = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(process.stdout.splitlines()[-1])


def generated(folder: Path) -> tuple[Path, dict[str, pd.DataFrame]]:
    """Tokenizer and pairs from generated talk: replies against those of other exchanges, and the toy grammar."""
    from pretrain import generated as generated_talk

    source = generated_talk(folder)
    triplets = pd.read_parquet(source / "triplets.parquet").sample(4000, random_state=SEED)
    rows = [
        (write_turn(speakers[0], turns[0]), f" {write_turn(speakers[1], turns[1])}")
        for speakers, turns in zip(triplets["speakers"], triplets["turns"], strict=True)
    ]
    others = [*rows[1:], rows[0]]
    dialogue = items_frame(
        (f"pair_{number}", "pairs", [prompt] * 2, [reply, other])
        for number, ((prompt, reply), (_, other)) in enumerate(zip(rows, others, strict=True), start=1)
    )
    grammar = pd.concat([registry.load("toy_grammar").read({})] * 5, ignore_index=True)
    return source, {"dialogue": dialogue, "blimp": grammar}


def published(source: Path, mirror: Path) -> dict[str, pd.DataFrame]:
    """The pairs of a finished run and BLiMP, shuffled, so that the first few are of all paradigms."""
    blimp = registry.load("blimp")
    tables = {
        "dialogue": registry.load("dialogue_words").read({"pairs": [source / "pairs/dialogue_words.parquet"]}),
        "blimp": blimp.read({"mirror": blimp.mirror_files(mirror)}),
    }
    return {name: table.sample(frac=1, random_state=SEED, ignore_index=True) for name, table in tables.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", nargs="?", type=Path, help="folder of results with tokenizer/ and pairs/")
    parser.add_argument("--mirror", type=Path, help="folder with evaluation_data/")
    parser.add_argument("--quick", action="store_true", help="generated talk and pairs")
    parser.add_argument(
        "--pairs", type=int, help="pairs of each suite that both sides score; 500, or 200 with --quick"
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often each side runs")
    parser.add_argument("--threads", type=int, default=2, help="of the CPU")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--suites", nargs="+", default=SUITES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        run_side(arguments.side, arguments.source, arguments.pairs, arguments.threads, arguments.suites)
        return
    if arguments.quick == bool(arguments.source and arguments.mirror):
        parser.error("name a folder of results and --mirror, or --quick")
    pairs = arguments.pairs or (200 if arguments.quick else 500)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        if arguments.quick:
            source, tables = generated(Path(scratch))
        else:
            source, tables = arguments.source, published(arguments.source, arguments.mirror)
        write_model(folder, AutoTokenizer.from_pretrained(source / "tokenizer"))
        for name, table in tables.items():
            table.to_parquet(folder / f"{name}.parquet")
        rounds = []
        for number in range(arguments.rounds):
            print(number, "load", *(f"{load:.1f}" for load in os.getloadavg()), flush=True)
            rounds.append({side: measure(side, folder, pairs, arguments.threads) for side in SIDES})
            for side, own in rounds[-1].items():
                speeds = (f"{suite} {own['suites'][suite][0]:8.1f} pairs/s" for suite in SUITES)
                print(number, f"{side:17}", *speeds, f"{own['peak_gb']:6.2f} GB", flush=True)
        many = len(tables["blimp"])
        tenth, whole = (
            measure("ours", folder, count, arguments.threads, ("blimp",)) for count in (many // 10, many)
        )
    for count, own in ((many // 10, tenth), (many, whole)):
        print(f"ours on {count} pairs: {count / own['suites']['blimp'][0]:.0f} s, {own['peak_gb']:.2f} GB")
    peers = [side for side in SIDES if side != "ours"]
    speedups = {
        peer: [
            statistics.median(own["ours"]["suites"][suite][0] / own[peer]["suites"][suite][0] for own in rounds)
            for suite in SUITES
        ]
        for peer in peers
    }
    differences = [
        sum(one != other for one, other in zip(rounds[0]["ours"]["suites"][suite][1], found[1], strict=True))
        for peer in peers
        for suite, found in rounds[0][peer]["suites"].items()
    ]
    ratios = {f"speedup_vs_{peer}": round(min(own), 3) for peer, own in speedups.items()}
    for number, suite in enumerate(SUITES):
        ratios |= {f"{suite}_speedup_vs_{peer}": round(own[number], 3) for peer, own in speedups.items()}
    ratios |= {"decisions_that_differ": max(differences), "decisions_identical": not any(differences)}
    print(json.dumps(ratios | {"memory_ratio_10x": round(whole["peak_gb"] / tenth["peak_gb"], 3)}))


if __name__ == "__main__":
    main()
