"""`babylogue score MODEL FILE`: log-probabilities of one's own sentences or minimal pairs."""

import json
import math
from pathlib import Path

from ..errors import UserError
from .cores import available_cores
from .models import MODEL_HELP, add_results, find_model
from .output import note, print_json, print_table
from .sentences import FORMATS, STDIN, Record, Sentences, read_sentences

HELP = "log-probabilities of your own sentences or minimal pairs"
EXAMPLES = """\
columns of FILE, in any order; all others are carried along, and may not have
the name of a column of the result:
  sentence     a sentence a line; plain text needs no header
  good, bad    minimal pairs; BLiMP's sentence_good, sentence_bad are the same
  context      what goes before and is not scored itself; optional, with either
  group        pairs are counted by it; optional, for every pair or for none, not
               `all`, which is the mean over groups; BLiMP's UID is the same

Write texts as the models were trained on: words and punctuation apart, clitics
on their words, capitals in names and I alone, as in "where's the kitty ?". A
speaker tag in front (*CHI: the child, *MOT: the mother) is as it was in
training, and may be left out.

columns of the result: log_probability, the sum of natural logarithms over the
scored tokens; tokens, how many these are; per_token, the mean; surprisal_bits,
the negative sum in bits. Of pairs: both sums and numbers of tokens, good minus
bad, and which is preferred, `neither` where both are equal. Accuracy is the
percentage of pairs in which good is, a tie counting half, with its 95 %
interval; that of several groups is the mean over groups.

examples:
  babylogue score dpo_natural pairs.csv
  babylogue score base/final sentences.txt --out scores.csv
  babylogue score results/models/base/seed0/final blimp/anaphor_number_agreement.jsonl --json
  echo "where's the kitty ?" | babylogue score base -
"""
OF_SENTENCES = ("log_probability", "tokens", "per_token", "surprisal_bits")
OF_PAIRS = ("log_probability_good", "log_probability_bad", "tokens_good", "tokens_bad", "difference", "preferred")
MEAN = "all"  # the group that stands for all groups
WRITERS = {".csv": "csv", ".tsv": "csv", ".parquet": "parquet", ".jsonl": "json"}


def add_arguments(parser) -> None:
    """MODEL, FILE and options."""
    parser.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    parser.add_argument("file", metavar="FILE", help="CSV, TSV, JSON lines or text, by its suffix; - is stdin")
    parser.add_argument("--format", choices=[*dict.fromkeys(FORMATS.values()), "text"], help="what FILE is")
    parser.add_argument("--out", type=Path, help=f"write the table to a file ({', '.join(WRITERS)}) too")
    add_results(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments) -> int:
    """Score the file, print the table, write it where that is asked for."""
    if arguments.out and arguments.out.suffix not in WRITERS:
        raise UserError(f"--out {arguments.out}: the suffix must be one of {', '.join(WRITERS)}")
    if arguments.out and arguments.file != STDIN and arguments.out.resolve() == Path(arguments.file).resolve():
        raise UserError(f"--out {arguments.out}: that is the file to score; name another")
    folder = find_model(arguments.model, arguments.results)
    sentences = read_sentences(arguments.file, arguments.format)
    _check_columns(sentences)
    scored = _scored(folder, sentences)
    table, rows = _table(sentences, scored), _accuracies(sentences, scored)
    if arguments.out:
        _write(table, arguments.out)
    if arguments.json:
        items = json.loads(table.to_json(orient="records", double_precision=15))
        print_json({"model": str(folder), "items": items} | ({"accuracy": rows} if rows else {}))
        return 0
    if not arguments.out:
        print_table(table.columns, (map(_cell, row) for row in table.itertuples(index=False)))
    if rows:
        print()
        print_table(
            ["group", "accuracy", "95 % interval", "pairs"],
            ((row["group"], *_percent(row), row["n"]) for row in rows),
        )
    if arguments.out:
        print(f"{len(table)} lines in {arguments.out}")
    return 0


def _check_columns(sentences: Sentences) -> None:
    """What the file has beside its texts can stand beside the scores.

    Raises:
        UserError: a column has the name of one of the result; a pair is in the group of all, or in none while
            another is in one.
    """
    pairs = len(sentences.fields) > 1
    computed = OF_PAIRS if pairs else OF_SENTENCES
    grouped = pairs and any(_group(record) for record in sentences.records)
    for record in sentences.records:
        place = f"{sentences.name}, line {record.line}"
        if clash := [name for name in computed if name in record.columns]:
            raise UserError(
                f"{place}: the result has a column {clash[0]!r} too; rename it in the file, or remove it"
            )
        if grouped and _group(record) in ("", MEAN):
            wrong = f"'group' is {MEAN!r}, as the mean over groups is called" if _group(record) else "no 'group'"
            raise UserError(f"{place}: {wrong}; name one for every pair, or none at all")


def _group(record: Record) -> str:
    value = record.columns.get("group")
    return "" if value is None else str(value).strip()


def _scored(folder: Path, sentences: Sentences):
    """Item scores (suites/base.py): a sentence is an item of one candidate; of a pair the good one is first."""
    from ..model.device import prepare_device
    from ..scoring.loading import load_model
    from ..suites.base import items_frame, score_items

    device = prepare_device(available_cores())
    model, tokenizer = load_model(folder, str(device))
    if tokenizer("a")["input_ids"][0] != tokenizer.bos_token_id:
        message = f"{folder}: its tokenizer puts nothing in front, so that the first token of a text is not scored"
        note(message)
    items = items_frame(
        (
            f"in line {record.line}",
            _group(record) or MEAN,
            [context := record.columns.get("context") or ""] * len(sentences.fields),
            [_after(context, record.columns[field]) for field in sentences.fields],
        )
        for record in sentences.records
    )
    try:
        return score_items(model, tokenizer, items, batch_tokens=2048)
    except UserError as error:
        raise UserError(f"{sentences.name}: {error}") from error


def _after(context: str, text: str) -> str:
    """The text as it goes on after its context: with a space between, unless there is one."""
    return text if not context or context[-1].isspace() or text[0].isspace() else f" {text}"


def _table(sentences: Sentences, scored):
    """What the file has, and the scores."""
    import pandas as pd

    computed = []
    for sums, tokens in zip(scored["scores"], scored["tokens"], strict=True):
        if len(sums) == 1:
            # Of a text without a scored token nothing is known.
            total = sums[0] if tokens[0] else None
            values = (total, tokens[0], total and total / tokens[0], total and -total / math.log(2))
            computed.append(dict(zip(OF_SENTENCES, values, strict=True)))
        else:
            difference = sums[0] - sums[1]
            preferred = "good" if difference > 0 else "bad" if difference < 0 else "neither"
            computed.append(dict(zip(OF_PAIRS, (*sums, *tokens, difference, preferred), strict=True)))
    return pd.DataFrame([record.columns | own for record, own in zip(sentences.records, computed, strict=True)])


def _accuracies(sentences: Sentences, scored) -> list[dict]:
    """Metric rows of pairs: each group, then "all", the mean over groups; a tie is half right."""
    from ..suites.base import accuracy_rows

    if len(sentences.fields) == 1:
        return []
    rows = [row for row in accuracy_rows(scored) if row["metric"] == "accuracy_ties_half"]
    if len(rows) == 2:  # one group, and its mean
        rows = rows[-1:]
    return [row | {"metric": "accuracy"} for row in rows]


def _percent(row: dict) -> tuple[str, str]:
    return f"{row['value']:.1f}", f"{row['ci_low']:.1f} to {row['ci_high']:.1f}"


def _cell(value) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.3f}"
    return "" if value is None else str(value)


def _write(table, path: Path) -> None:
    try:
        if path.suffix == ".parquet":
            table.to_parquet(path)
        elif path.suffix == ".jsonl":
            table.to_json(path, orient="records", lines=True, double_precision=15, force_ascii=False)
        else:
            table.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    except OSError as error:
        raise UserError(f"--out {path}: it cannot be written: {error.strerror or error}") from error
    except (TypeError, ValueError) as error:  # pyarrow's own among them
        raise UserError(f"--out {path}: a column has values of more than one kind; write .jsonl") from error
