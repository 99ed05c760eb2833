"""`babylogue chat`: talk to a model, and to a second one beside it."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator

from ..dialogue import speaker_tag, write_turn
from ..errors import UserError
from ..reinforcement.sampling_settings import SamplingSettings
from .cores import available_cores
from .models import MODEL_HELP, add_results, find_model
from .output import note
from .turns import spoken

HELP = "talk to a model as the caregiver, in the terminal"
EXAMPLES = """\
what you type:
  A line that ends in a spaced terminator, `where is Daddy ?`, is read as it stands. Any other is
  put into CHAT form, sentence by sentence: lower case but I, no punctuation but a spaced
  terminator, `.` where there is none. A tag, `*FAT: come here .`, begins that speaker's turn.
  /help lists the commands.

examples:
  babylogue chat base
  babylogue chat dpo_natural --beside base --temperature 0
  babylogue chat base --as FAT --turns 2 --seed 1
  echo "Where's the kitty?" | babylogue chat results/models/base/seed0/final --json
"""
COMMANDS = {
    "/reset": "forget what has been said",
    "/history": "show what has been said, and what the model no longer sees",
    "/help": "show this",
    "/quit": "end; so does the end of the input",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    defaults = SamplingSettings()
    parser.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    parser.add_argument(
        "--beside",
        metavar="MODEL",
        help="a second model, which hears the same from you; each knows its own replies alone",
    )
    parser.add_argument(
        "--as", dest="caregiver", metavar="CODE", type=_code, default="MOT", help="who you are (default: MOT)"
    )
    parser.add_argument(
        "--speaker", metavar="CODE", type=_code, default="CHI", help="who the model is (default: CHI)"
    )
    parser.add_argument(
        "--turns",
        metavar="N",
        type=_number(int, 1),
        help="most turns that the model sees at once (default: all that its context holds); the workflow's models "
        "are trained on three",
    )
    parser.add_argument(
        "--temperature",
        metavar="T",
        type=_number(float, 0),
        default=defaults.temperature,
        help=f"of sampling; 0: the most probable reply, token by token (default: {defaults.temperature})",
    )
    parser.add_argument(
        "--top-p",
        metavar="P",
        type=_number(float, 0, 1),
        default=defaults.top_p,
        help=f"share of the probability mass that is sampled from, above 0 (default: {defaults.top_p})",
    )
    parser.add_argument(
        "--max-new-tokens",
        metavar="N",
        type=_number(int, 1),
        default=defaults.max_new_tokens,
        help=f"longest reply; a longer one is cut, and ends in ... (default: {defaults.max_new_tokens})",
    )
    parser.add_argument(
        "--seed",
        metavar="N",
        type=_number(int, 0),
        default=defaults.seed,
        help=f"the same seed and lines give the same replies (default: {defaults.seed})",
    )
    add_results(parser)
    parser.add_argument(
        "--json",
        action="store_true",
        help="a JSON object a turn, yours too: speaker, text, model (null: you), ended (false: cut)",
    )


def _code(text: str) -> str:
    """A speaker code, with or without the marks of its tag."""
    return text.removeprefix("*").removesuffix(":")


def _number(kind: type, low: float, high: float = float("inf")) -> Callable[[str], float]:
    """What reads an argument that is a finite number from `low` to `high`."""

    def read(text: str):
        value = kind(text)
        if not low <= value <= high or value == float("inf"):
            bounds = f"{low} or more" if high == float("inf") else f"from {low} to {high}"
            raise argparse.ArgumentTypeError(f"{text} is not {bounds}")
        return value

    read.__name__ = {int: "whole number", float: "number"}[kind]
    return read


def run(arguments: argparse.Namespace) -> int:
    settings = _settings(arguments)
    names = [name for name in (arguments.model, arguments.beside) if name]
    folders = [find_model(name, arguments.results) for name in names]
    if sys.stdin.isatty():
        note(f"loading {' and '.join(map(str, folders))}")
    from ..model.device import prepare_device  # with torch: seconds, which --help should not take
    from .partners import Partner

    prepare_device(available_cores())
    partners = [
        Partner(name, folder, arguments.speaker, settings, arguments.turns)
        for name, folder in zip(names, folders, strict=True)
    ]
    for partner in partners:
        partner.check_speakers([arguments.caregiver])
    conversation = _Conversation(partners, arguments.caregiver, arguments.speaker, arguments.json)
    interactive = sys.stdin.isatty()
    for line in _typed(speaker_tag(arguments.caregiver)) if interactive else _piped():
        if line == "/quit":
            break
        try:
            conversation.take(line)
        except UserError as error:
            if not interactive:
                raise
            note(f"babylogue: {error}")
    return 0


def _settings(arguments: argparse.Namespace) -> SamplingSettings:
    if not arguments.top_p:
        raise UserError("--top-p 0: nothing could be said; for the most probable reply take --temperature 0")
    return SamplingSettings(**{name: getattr(arguments, name) for name in SamplingSettings.model_fields})


def _typed(tag: str) -> Iterator[str]:
    """The lines of a person at the keyboard."""
    import readline  # noqa: F401  gives input() its editing

    note("/help lists the commands")
    while True:
        try:
            yield input(f"{tag} ").strip()
        except EOFError:
            print()
            return
        except KeyboardInterrupt:
            print()
            raise


def _piped() -> Iterator[str]:
    sys.stdin.reconfigure(errors="replace")
    for line in sys.stdin:
        yield line.strip()


class _Conversation:
    """Shows what is said between a caregiver and the partners."""

    def __init__(self, partners, caregiver: str, speaker: str, as_json: bool):
        self._partners, self._caregiver, self._speaker, self._as_json = partners, caregiver, speaker, as_json
        self._label_width = max(len(partner.name) for partner in partners)

    def take(self, line: str) -> None:
        """Do what a line asks for: a command, or a reply.

        Raises:
            UserError: there is no such command, or a model cannot be told this.
        """
        if line.startswith("/"):
            self._command(line)
        elif turns := spoken(line, self._caregiver):
            for partner in self._partners:
                partner.check(turns)
            self._exchange(turns)
        elif line:
            note("there is no word in this")

    def _command(self, line: str) -> None:
        if line == "/reset":
            for partner in self._partners:
                partner.reset()
        elif line == "/history":
            for partner in self._partners:
                self._show_history(partner)
        elif line == "/help":
            for name, told in COMMANDS.items():
                note(f"{name:<9} {told}")
        else:
            raise UserError(f"no command {line}; there are {', '.join(COMMANDS)}")

    def _exchange(self, turns) -> None:
        if self._as_json:
            for code, said in turns:
                _show_json(speaker=code, text=said, model=None, ended=True)
        for partner in self._partners:
            was_full = partner.full
            reply = partner.reply(turns)
            if partner.full and not was_full:
                note(f"{partner.name}: its context is full; the oldest turns are left out from here on")
            if self._as_json:
                _show_json(speaker=self._speaker, text=reply.text, model=partner.name, ended=reply.ended)
            else:
                self._show(partner, write_turn(self._speaker, reply.text + ("" if reply.ended else " ...")))

    def _show_history(self, partner) -> None:
        if self._as_json:
            said = [{"speaker": code, "text": text} for code, text in partner.history]
            _show_json(model=partner.name, history=said, seen_from=partner.first)
            return
        for number, turn in enumerate(partner.history):
            if number and number == partner.first:
                note("the model no longer sees what stands above")
            self._show(partner, write_turn(*turn))

    def _show(self, partner, text: str) -> None:
        label = f"{partner.name:<{self._label_width}}  " if len(self._partners) > 1 else ""
        print(f"{label}{_printable(text).rstrip()}", flush=True)


def _printable(text: str) -> str:
    """What a model writes must not steer the terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _show_json(**turn) -> None:
    print(json.dumps(turn), flush=True)
