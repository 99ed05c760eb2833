"""PPO against the `step()` loop of trl 0.8.6 on the same prompts, with as many tokens and optimiser steps.

python perf/ppo.py --quick                    # generated talk, no data from outside
python perf/ppo.py results/childes_small      # the tokenizer and the tuning triplets of a finished run

Both sides tune a Llama of 5 million parameters with random weights by BLEU-1 against the turn that followed, in
batches of 16 replies of 20 tokens: none ends early on either side. A step is a rollout, its rewards, and four
epochs of minibatches of four. Sides run in turn, in processes of their own, with threads and torch the same; the
first steps warm up and do not count. trl is installed with the transformers of its time in a virtual environment,
which is kept for the next time. Each round prints the machine's load.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

PEER = [
    "trl==0.8.6",
    "transformers==4.46.3",
    "accelerate==0.30.1",
    "datasets<3",
    "numpy<2",
    "pyarrow<19",
    "sacrebleu==2.6.0",
    "rich",
]
SEED = 0
VOCABULARY = 8192  # at least
BATCH, MINIBATCH, EPOCHS, NEW_TOKENS, RATE = 16, 4, 4, 20, 1.41e-5
WARM_UP = 2  # steps
PHASES = ("generation", "reward", "training")


def model_of(tokenizer) -> LlamaForCausalLM:
    """The model that both sides tune."""
    torch.manual_seed(SEED)
    config = LlamaConfig(
        vocab_size=max(VOCABULARY, len(tokenizer)),
        hidden_size=256,
        intermediate_size=688,
        num_hidden_layers=4,
        num_attention_heads=8,
        max_position_embeddings=512,
        tie_word_embeddings=True,
    )
    return LlamaForCausalLM(config)


def reward_of(references: dict[str, str]):
    """BLEU-1, the same on both sides: the peer's environment lacks the workflow's."""
    from sacrebleu.metrics import BLEU

    metric = BLEU(max_ngram_order=1, effective_order=True, smooth_method="exp", tokenize="none")

    def reward(prompts, replies):
        both = zip(prompts, replies, strict=True)
        return np.array([metric.sentence_score(reply, [references[prompt]]).score / 100 for prompt, reply in both])

    return reward


def ours(tokenizer, references: dict[str, str], steps: int) -> tuple[list[float], list[dict[str, float]]]:
    """When each step ended, and the seconds of its phases, in the workflow's loop."""
    from babylogue.reinforcement import ppo
    from babylogue.reinforcement.settings import GuardSettings, PPOSettings

    ppo.stop_tokens = lambda tokenizer: []
    bounds = {name: None for name in GuardSettings.model_fields if name != "window_steps"}
    settings = PPOSettings(
        prompts=steps * BATCH, batch_size=BATCH, minibatch_size=MINIBATCH, epochs_per_batch=EPOCHS,
        learning_rate=RATE, max_new_tokens=NEW_TOKENS, unfinished_reward=None, evaluate_every=steps + 1,
        guard=GuardSettings(**bounds),
    )  # fmt: skip
    ends, phases = [], []

    def note(row):
        ends.append(time.perf_counter())
        phases.append({name: row[f"seconds_{name}"] for name in PHASES})
        assert row["reply_tokens"] == NEW_TOKENS

    prompts, reward = list(references), reward_of(references)
    ppo.train(model_of(tokenizer), tokenizer, prompts, reward, settings, seed=SEED, report=note)
    return ends[:steps], phases[:steps]  # the last rollout, without an update, is left out


def trl(tokenizer, references: dict[str, str], steps: int) -> tuple[list[float], list[dict[str, float]]]:
    """The same of trl's loop, as its quickstart has it, with the rollout generated in one batch."""
    from trl import AutoModelForCausalLMWithValueHead, PPOConfig, PPOTrainer

    config = PPOConfig(
        batch_size=BATCH, mini_batch_size=MINIBATCH, ppo_epochs=EPOCHS, learning_rate=RATE, seed=SEED
    )
    trainer = PPOTrainer(
        config, AutoModelForCausalLMWithValueHead.from_pretrained(model_of(tokenizer)), tokenizer=tokenizer
    )
    sampling = dict(do_sample=True, top_k=0.0, top_p=1.0, min_length=-1, max_new_tokens=NEW_TOKENS)
    sampling |= {"batch_size": BATCH, "eos_token_id": -1, "pad_token_id": tokenizer.pad_token_id}
    prompts, reward = list(references), reward_of(references)
    encoded = {prompt: torch.tensor(tokenizer(f"{prompt} *CHI:")["input_ids"]) for prompt in prompts}
    rng, ends, phases = np.random.default_rng(SEED), [], []
    for _ in range(steps):
        marks = [time.perf_counter()]
        asked = rng.choice(prompts, BATCH, replace=False).tolist()
        queries = [encoded[prompt] for prompt in asked]
        replies = trainer.generate(queries, return_prompt=False, **sampling)
        assert all(len(reply) == NEW_TOKENS for reply in replies)
        texts = tokenizer.batch_decode(replies, skip_special_tokens=True)
        marks.append(time.perf_counter())
        scores = [torch.tensor(score) for score in reward(asked, texts)]
        marks.append(time.perf_counter())
        trainer.step(queries, replies, scores)
        marks.append(time.perf_counter())
        ends.append(marks[-1])
        phases.append(dict(zip(PHASES, np.diff(marks).tolist(), strict=True)))
    return ends, phases


SIDES = {"trl": trl, "ours": ours}


def run_side(side: str, source: Path, steps: int, threads: int) -> None:
    """One side in this process; prints steps a second, seconds a step of each phase and optimiser steps."""
    torch.set_num_threads(threads)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(source / "tokenizer/tokenizer.json"), pad_token="<pad>", eos_token="</s>"
    )
    optimised = []
    register_optimizer_step_post_hook(lambda *_: optimised.append(1))
    references = json.loads((source / "references.json").read_text())
    ends, phases = SIDES[side](tokenizer, references, WARM_UP + steps)
    found = {"steps_per_s": steps / (ends[-1] - ends[WARM_UP - 1]), "optimiser_steps": len(optimised)}
    found |= {name: statistics.fmean(own[name] for own in phases[WARM_UP:]) for name in PHASES}
    print(json.dumps(found))


def peer_python(folder: Path) -> Path:
    """The Python of trl's environment, which is made if it is not there."""
    python, done = folder / "bin/python", folder / "done"
    wanted = [f"torch=={version('torch').split('+')[0]}", *PEER]
    if not done.exists() or done.read_text() != " ".join(wanted):
        print(f"installing {' '.join(wanted)} in {folder}", flush=True)
        venv.create(folder, clear=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *wanted], check=True)
        done.write_text(" ".join(wanted))
    return python


def measure(python: str | Path, side: str, source: Path, steps: int, threads: int) -> dict[str, float]:
    """`run_side` in a process of its own."""
    command = [python, __file__, source, "--side", side, "--steps", str(steps), "--threads", str(threads)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
    process = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return json.loads(process.stdout.splitlines()[-1])


def write_references(triplets: Path, file: Path) -> None:
    """Prompts and the turns that followed them, of 2,000 triplets."""
    import pandas as pd

    from babylogue.dialogue import write_turn

    table = pd.read_parquet(triplets, columns=["speakers", "turns"])
    table = table.sample(min(2000, len(table)), random_state=SEED)
    pairs = zip(table["speakers"], table["turns"], strict=True)
    file.write_text(json.dumps({write_turn(who[0], said[0]): said[1] for who, said in pairs}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", nargs="?", type=Path, help="folder of results with tokenizer/ and corpus/")
    parser.add_argument("--quick", action="store_true", help="generated talk")
    parser.add_argument("--steps", type=int, help="steps of each side that count; 20, or 6 with --quick")
    parser.add_argument("--rounds", type=int, default=3, help="how often each side runs")
    parser.add_argument("--threads", type=int, default=2, help="of the CPU")
    parser.add_argument(
        "--peer",
        type=Path,
        default=Path(tempfile.gettempdir()) / "babylogue-trl-0.8.6",
        help="folder of trl's virtual environment",
    )
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    steps = arguments.steps or (6 if arguments.quick else 20)
    if arguments.side:
        run_side(arguments.side, arguments.source, steps, arguments.threads)
        return
    if arguments.quick == bool(arguments.source):
        parser.error("name a folder of results, or --quick")
    pythons = {"trl": peer_python(arguments.peer), "ours": sys.executable}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if arguments.quick:
            from pretrain import generated

            write_references(generated(folder) / "triplets.parquet", folder / "references.json")
        else:
            (folder / "tokenizer").symlink_to((arguments.source / "tokenizer").absolute())
            write_references(arguments.source / "corpus/triplets/tune.parquet", folder / "references.json")
        rounds = []
        for number in range(arguments.rounds):
            print(number, "load", *(f"{load:.1f}" for load in os.getloadavg()), flush=True)
            rounds.append({side: measure(pythons[side], side, folder, steps, arguments.threads) for side in SIDES})
            for side, own in rounds[-1].items():
                seconds = (f"{name} {own[name]:6.3f} s" for name in PHASES)
                print(number, f"{side:5} {own['steps_per_s']:6.3f} steps/s", *seconds, flush=True)
    counted = {own["optimiser_steps"] for run in rounds for own in run.values()}
    if len(counted) > 1:
        sys.exit(f"the sides took different numbers of optimiser steps: {sorted(counted)}")
    speedups = [run["ours"]["steps_per_s"] / run["trl"]["steps_per_s"] for run in rounds]
    ratios = {"speedup_vs_trl": statistics.median(speedups)}
    for name in PHASES:
        ratios[f"{name}_share"] = statistics.median(
            run["ours"][name] / sum(run["ours"][phase] for phase in PHASES) for run in rounds
        )
    print(json.dumps({name: round(value, 3) for name, value in ratios.items()}))


if __name__ == "__main__":
    main()
