"""`babylogue chat` as a process: a conversation through a pipe, and on a terminal."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest
import yaml

from babylogue.cli.main import main
from babylogue.cli.turns import spoken
from support.project import PROJECT
from support.tiny_talker import TALK, save_tiny_talker
from support.tiny_teacher import save_tiny_teacher

ENVIRONMENT = os.environ | {
    "PYTHONPATH": str(PROJECT / "scripts"),
    "CUDA_VISIBLE_DEVICES": "",
    "OMP_NUM_THREADS": "1",
}
LINES = [*TALK, "who is there ?"]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Results with two runs: base and dpo."""
    folder = tmp_path_factory.mktemp("results")
    for seed, (run, method, checkpoint) in enumerate((("base", "pretrain", "final"), ("dpo", "dpo", "best"))):
        place = folder / f"models/{run}/seed0"
        save_tiny_talker(place / checkpoint, seed)
        (place / "settings.yaml").write_text(yaml.safe_dump({"method": method}))
    return folder


def chat(results, *arguments, lines=LINES):
    """The finished process of a conversation; its input is a pipe."""
    done = subprocess.run(
        [sys.executable, "-m", "babylogue", "chat", *arguments, "--results", str(results)],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=100,
    )
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture
def chat_here(results, tmp_path, monkeypatch, capsys):
    """A conversation in this process, with a file as its input: exit status, stdout, stderr."""

    def chat_with(*arguments, lines=LINES):
        (tmp_path / "lines.txt").write_text("".join(f"{line}\n" for line in lines))
        with (tmp_path / "lines.txt").open() as file:
            monkeypatch.setattr(sys, "stdin", file)
            status = main(["chat", *arguments, "--results", str(results)])
        return status, *capsys.readouterr()

    return chat_with


def test_a_dialogue_through_a_pipe(results):
    lines = ["Where is the ball?", "", "/history", "/reset", "...", "COME HERE", "/history", "/quit", "who ?"]
    done = chat(results, "base", "--temperature", "0", "--turns", "1", lines=lines)
    ball, come = "*CHI: under the chair .", "*CHI: no ."
    assert done.stdout.splitlines() == [
        ball, "*MOT: where is the ball ?", ball, come, "*MOT: come here .", come,
    ]  # fmt: skip
    assert done.stderr.splitlines() == ["there is no word in this"]


def test_a_second_model_stands_beside_and_hears_the_caregiver_alone(results, chat_here):
    arguments = ("--temperature", "3", "--top-p", "1", "--json", "--seed", "5", "--max-new-tokens", "6")
    done = chat(results, "base", "--beside", "dpo", *arguments, lines=[*LINES, "/history"])
    told = [json.loads(line) for line in done.stdout.splitlines()]
    turns, histories = told[:-2], told[-2:]
    assert [(turn["speaker"], turn["model"]) for turn in turns] == 5 * [
        ("MOT", None), ("CHI", "base"), ("CHI", "dpo"),
    ]  # fmt: skip
    assert [turn["text"] for turn in turns[::3]] == LINES
    for history in histories:
        own = [turn for turn in turns if turn["model"] in (None, history["model"])]
        assert history["history"] == [
            {"speaker": turn["speaker"], "text": turn["text"]} for turn in own if turn["text"]
        ]
    # A model replies alike whoever is beside it, the seed says how, and another seed says otherwise.
    _, alone, _ = chat_here("dpo", *arguments)
    assert [json.loads(line) for line in alone.splitlines()] == [turn for turn in turns if turn["model"] != "base"]
    assert chat_here("dpo", *arguments, "--seed", "6")[1] != alone


def test_the_oldest_turns_go_when_the_context_is_full_which_is_said_once(chat_here):
    lines = [*2 * list(TALK), "/history"]
    status, shown, notes = chat_here("base", "--beside", "dpo", lines=lines)
    assert status == 0
    assert [line for line in notes.splitlines() if "context is full" in line] == [
        "base: its context is full; the oldest turns are left out from here on",
        "dpo: its context is full; the oldest turns are left out from here on",
    ]
    assert notes.count("no longer sees what stands above") == 2
    assert shown.count("base  *CHI:") > 8, "replies, and the history after them"
    assert shown.count("base  *MOT:") == 8


def test_a_line_that_cannot_be_told_ends_a_pipe(chat_here):
    for line, message in (
        (" ".join(20 * ["ball"]) + " chair" * 20, "base: 184 tokens at once, and its context leaves 40; say less"),
        ("*GRA: hello .", "base: its tokenizer has no tag *GRA:; it has *CHI:, *FAT:, *MOT:"),
        ("/louder", "no command /louder; there are /reset, /history, /help, /quit"),
    ):
        status, _, told = chat_here("base", lines=[line])
        assert status == 1
        assert told.startswith(f"babylogue: {message}") and told.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nobody"], "nobody: neither a model folder nor a run; runs in RESULTS: base, dpo"),
        (["base", "--beside", "dpo/final"], "checkpoints of seed 0: best"),
        (["base", "--speaker", "GRA"], "base: its tokenizer has no tag *GRA:; it has *CHI:, *FAT:, *MOT:"),
        (["base", "--as", "*GRA:"], "base: its tokenizer has no tag *GRA:; it has *CHI:, *FAT:, *MOT:"),
        (["base", "--max-new-tokens", "64"], "--max-new-tokens 64: the context of base is of 64 tokens in all"),
        (["base", "--top-p", "0"], "for the most probable reply take --temperature 0"),
    ],
)
def test_errors_are_a_line(results, arguments, message, capsys):
    assert main(["chat", *arguments, "--results", str(results)]) == 1
    told = capsys.readouterr().err
    assert message.replace("RESULTS", str(results)) in told
    assert told.startswith("babylogue: ") and told.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["--temperature", "-1"], ["--top-p", "nan"], ["--turns", "0"], ["--seed", "x"]]
)
def test_numbers_out_of_range_are_refused(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["chat", "base", *arguments])
    assert stopped.value.code == 2
    assert f"argument {arguments[0]}: " in capsys.readouterr().err


def test_a_model_without_tags_is_refused(tmp_path, capsys):
    save_tiny_teacher(tmp_path)
    assert main(["chat", str(tmp_path)]) == 1
    assert (
        "its tokenizer has no speaker tags; talk to a model that was trained on dialogue"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("line", "turns"),
    [
        ("where is Daddy ?", [("MOT", "where is Daddy ?")]),
        ("Where's Daddy?", [("MOT", "where's daddy ?")]),
        ("Hello, Kitty! I'm here", [("MOT", "hello kitty !"), ("MOT", "I'm here .")]),
        ("*FAT: Come here!  *GRA: no .", [("FAT", "come here !"), ("GRA", "no .")]),
        ("look *CHI: moo", [("MOT", "look ."), ("CHI", "moo .")]),
        ("?! ...", []),
        ("?", []),
    ],
)  # fmt: skip
def test_what_is_typed_becomes_turns_in_chat_form(line, turns):
    assert spoken(line, "MOT") == turns


# --- on a terminal ------------------------------------------------------------------------------------------


class Terminal:
    """A chat whose input is a terminal."""

    def __init__(self, *arguments):
        self.ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "babylogue", "chat", *arguments]
        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=ENVIRONMENT,
            start_new_session=True,
            # What runs in the background of a shell is deaf to Ctrl-C, and leaves that to its children.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        os.close(theirs)
        self.shown = ""

    def until(self, text: str) -> str:
        """Read until `text` is shown; what was shown up to then."""
        end = time.monotonic() + 60
        while text not in self.shown:
            assert time.monotonic() < end, self.shown
            if select.select([self.ours], [], [], 1)[0]:
                self.shown += os.read(self.ours, 4096).decode()
        before, self.shown = self.shown.split(text, 1)
        return before

    def type(self, line: str) -> None:
        os.write(self.ours, line.encode())


def test_on_a_terminal_it_prompts_goes_on_after_mistakes_and_ends_cleanly(results):
    chat = Terminal("base", "--temperature", "0", "--results", str(results))
    assert "Traceback" not in chat.until("*MOT: ")
    chat.type("/louder\n")
    assert "no command /louder" in chat.until("*MOT: ")
    chat.type("who is there?\n")
    assert "*CHI: daddy is there ." in chat.until("*MOT: ")
    time.sleep(0.5)  # so that it waits for a line, as for a person
    chat.process.send_signal(signal.SIGINT)
    assert chat.process.wait(20) == 130
    rest = b""
    while select.select([chat.ours], [], [], 0.2)[0]:
        try:
            rest += os.read(chat.ours, 4096)
        except OSError:  # Linux: the other end is closed
            break
    assert b"Traceback" not in rest
    os.close(chat.ours)
