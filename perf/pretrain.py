"""Pre-training, packed rows against the Trainer of transformers with one padded text a row, on the same texts.

python perf/pretrain.py --quick                    # generated talk, a small model, no data from outside
python perf/pretrain.py results/childes_small      # the tokenizer and the texts of finished runs, 5M parameters
python perf/pretrain.py results/paper --paper      # the paper's model, for a GPU

Both sides train the same model on the same texts with the same optimiser and about as many tokens a batch, in
turn and in processes of their own. Tokens are those of texts, padding is none; peak memory is the process' own (on
a GPU torch's). The matrix peak is measured in the same process.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import torch
from transformers import AutoTokenizer

from babylogue.model.architecture import build_model
from babylogue.model.device import prepare_device
from babylogue.model.settings import ArchitectureSettings, PretrainSettings
from babylogue.model.throughput import matrix_peak
from babylogue.model.tokens import TokenisedTexts, read_tokens

SMALL = PretrainSettings(
    architecture=ArchitectureSettings(
        hidden_size=192, intermediate_size=512, layers=4, heads=6, context_tokens=256
    ),
    checkpoints=[],
    batch_rows=16,
)
PAPER = PretrainSettings(
    architecture=ArchitectureSettings(
        hidden_size=1024, intermediate_size=1024, layers=16, heads=16, context_tokens=1024
    ),
    checkpoints=[],
    row_tokens=512,
    batch_rows=64,
    learning_rate=6e-4,
)
PARTS = 4  # of a side's training; the first is left out, as it warms up


def ours(tokenizer, texts: TokenisedTexts, settings: PretrainSettings, device: torch.device) -> list[float]:
    """Tokens a second of the workflow's loop, part by part."""
    from babylogue.model.pretrain import pretrain
    from babylogue.model.state import TrainingState

    with tempfile.TemporaryDirectory() as folder:
        state = TrainingState(Path(folder), {}, every_s=float("inf"))
        log, _ = pretrain(tokenizer, texts, texts, settings, seed=0, state=state, device=device)
    return log["tokens_per_s"].tolist()


def trainer(tokenizer, texts: TokenisedTexts, settings: PretrainSettings, device: torch.device) -> list[float]:
    """The same of the Trainer: one text a row, padded to the longest of its batch."""
    from transformers import Trainer, TrainerCallback, TrainingArguments

    mean = texts.starts[-1] / len(texts)
    batch = round(settings.batch_rows * settings.row_tokens / mean)
    rows = int(settings.words / (texts.words.sum() / len(texts)))
    seen, marks = 0, []

    def collate(items):
        nonlocal seen
        ids = [torch.from_numpy(item["ids"].astype("int64")) for item in items]
        seen += sum(map(len, ids))
        padded = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=tokenizer.pad_token_id)
        mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(own) for own in ids], batch_first=True)
        return {"input_ids": padded, "attention_mask": mask, "labels": padded.masked_fill(mask == 0, -100)}

    class Rows(torch.utils.data.Dataset):
        def __len__(self):
            return rows

        def __getitem__(self, index):
            start, end = texts.starts[index % len(texts)], texts.starts[index % len(texts) + 1]
            return {"ids": texts.tokens[start : min(end, start + settings.row_tokens)]}

    class Marks(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            if state.global_step % (state.max_steps // PARTS) == 0:
                if device.type == "cuda":
                    torch.cuda.synchronize()
                marks.append((time.perf_counter(), seen))

        def on_train_begin(self, *_, **__):
            marks.append((time.perf_counter(), seen))

    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            per_device_train_batch_size=batch,
            num_train_epochs=1,
            learning_rate=settings.learning_rate,
            weight_decay=settings.weight_decay,
            max_grad_norm=settings.max_gradient_norm,
            optim="adamw_torch_fused",
            bf16=device.type == "cuda",
            use_cpu=device.type == "cpu",
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
            remove_unused_columns=False,
            dataloader_drop_last=True,
        )
        model = build_model(settings.architecture, tokenizer)
        Trainer(model, arguments, train_dataset=Rows(), data_collator=collate, callbacks=[Marks()]).train()
    return [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(marks)]


SIDES = {"trainer": trainer, "ours": ours}


def run_side(side: str, source: Path, settings: PretrainSettings, threads: int) -> None:
    """One side in this process; prints its measures as JSON."""
    device = prepare_device(threads)
    tokenizer = AutoTokenizer.from_pretrained(source / "tokenizer")
    texts = read_tokens(source / "tokens/triplets/pretrain")
    peak = matrix_peak(device, torch.bfloat16 if device.type == "cuda" else torch.float32)
    speeds = SIDES[side](tokenizer, texts, settings, device)
    tokens_per_s = statistics.median(speeds[1:])
    with torch.device("meta"):
        parameters = build_model(settings.architecture, tokenizer).num_parameters()
    memory = (
        torch.cuda.max_memory_allocated()
        if device.type == "cuda"
        else 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    )
    measures = {
        "tokens_per_s": tokens_per_s,
        "share_of_peak": 6 * parameters * tokens_per_s / peak,
        "peak_gb": memory / 1e9,
        "parameters_m": parameters / 1e6,
    }
    print(json.dumps(measures))


def generated(folder: Path) -> Path:
    """The tokenizer and the texts of 300,000 words of generated talk, as the workflow makes them."""
    import pandas as pd

    from babylogue.model.texts import training_texts
    from babylogue.model.tokens import write_tokens
    from babylogue.tokenizer.bpe import EOS, save_tokenizer, train_tokenizer
    from babylogue.tokenizer.settings import TokenizerSettings
    from babylogue.transcripts.corpus import read_corpus
    from babylogue.transcripts.settings import SplitSettings, TripletSettings
    from babylogue.transcripts.sources import find_archives
    from babylogue.transcripts.toy.corpora import write_toy_transcripts
    from babylogue.transcripts.toy.settings import ToySettings
    from babylogue.transcripts.triplets import cut_triplets

    write_toy_transcripts(folder / "toy", ToySettings(words=300_000))
    tables = [folder / name for name in ("utterances.parquet", "transcripts.parquet", "rejected.csv")]
    read_corpus(find_archives(folder / "toy"), folder / "toy", *tables, max_rejected_share=0.0, processes=2)
    split = pd.read_parquet(tables[1], columns=["transcript"]).assign(part="pretrain")
    triplets = folder / "triplets.parquet"
    cut_triplets(tables[0], split, {"pretrain": triplets}, TripletSettings(), SplitSettings())
    table = pd.read_parquet(triplets, columns=["speakers", "turns"])
    tokenizer = train_tokenizer(table["turns"].explode(), table["speakers"].explode(), TokenizerSettings())
    save_tokenizer(tokenizer, folder / "tokenizer")
    pieces = training_texts(triplets, "triplets")
    write_tokens(folder / "tokens/triplets/pretrain", pieces, tokenizer, tokenizer.token_to_id(EOS))
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", nargs="?", type=Path, help="folder of results with tokenizer/ and tokens/")
    parser.add_argument("--quick", action="store_true", help="generated talk")
    parser.add_argument("--paper", action="store_true", help="the paper's model")
    parser.add_argument(
        "--words", type=int, help="words that a side trains on; 150,000, or 20 million with --paper"
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often each side runs")
    parser.add_argument("--threads", type=int, default=2, help="of the CPU")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    words = arguments.words or (20_000_000 if arguments.paper else 150_000)
    base = PAPER if arguments.paper else SMALL
    settings = base.model_copy(update={"words": words, "validations": PARTS, "validation_texts": 64})
    if arguments.side:
        run_side(arguments.side, arguments.source, settings, arguments.threads)
        return
    if arguments.quick == bool(arguments.source):
        parser.error("name a folder of results, or --quick")
    with tempfile.TemporaryDirectory() as scratch:
        source = generated(Path(scratch)) if arguments.quick else arguments.source
        options = ["--words", str(words), "--threads", str(arguments.threads), *["--paper"] * arguments.paper]
        rounds = [
            {
                side: json.loads(
                    subprocess.run(
                        [sys.executable, __file__, str(source), "--side", side, *options],
                        check=True,
                        stdout=subprocess.PIPE,
                        text=True,
                    ).stdout.splitlines()[-1]
                )
                for side in SIDES
            }
            for _ in range(arguments.rounds)
        ]
    for number, run in enumerate(rounds):
        for side, own in run.items():
            print(number, f"{side:8}", *(f"{name} {value:10.3f}" for name, value in own.items()))
    ratios = {
        "speedup_vs_trainer": statistics.median(
            run["ours"]["tokens_per_s"] / run["trainer"]["tokens_per_s"] for run in rounds
        ),
        "share_of_peak": statistics.median(run["ours"]["share_of_peak"] for run in rounds),
        "memory_ratio": statistics.median(run["ours"]["peak_gb"] / run["trainer"]["peak_gb"] for run in rounds),
    }
    print(json.dumps({name: round(value, 3) for name, value in ratios.items()}))


if __name__ == "__main__":
    main()
