"""Suites against plain implementations of the published rules, one string at a time.

The references share nothing with the library: each reads the files by itself and follows the rule as the BabyLM
2025 pipeline has it, or, for the suites of Padovani et al. (2025), calls minicons as their scripts do. They run on
a handful of hand-written items and, with BABYLOGUE_MIRROR, on a sample of the real ones.
"""

import json
import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
import torch
from minicons.scorer import IncrementalLMScorer
from scipy.optimize import curve_fit
from scipy.stats import pearsonr, spearmanr

from babylogue.preferences.given import given_pairs
from babylogue.preferences.settings import GivenPairs
from babylogue.suites import reading, registry
from support.tiny_scorers import TOKENIZERS, make_model, project_tokenizer

MIRROR = Path(os.environ.get("BABYLOGUE_MIRROR", "data"))
FULL, FAST = "evaluation_data/full_eval", "evaluation_data/fast_eval"
SEED = 0
# Per suite: its files, and how many items are sampled from each.
SAMPLES = {
    "blimp": (f"{FULL}/blimp_filtered/*.jsonl", 1),
    "blimp_fast": (f"{FAST}/blimp_fast/*.jsonl", 1),
    "blimp_supplement": (f"{FULL}/supplement_filtered/*.jsonl", 6),
    "blimp_supplement_fast": (f"{FAST}/supplement_fast/*.jsonl", 6),
    "ewok": (f"{FULL}/ewok_filtered/*.jsonl", 4),
    "ewok_fast": (f"{FAST}/ewok_fast/*.jsonl", 4),
    "comps": (f"{FULL}/comps/*.jsonl", 8),
    "entity_tracking": (f"{FULL}/entity_tracking/*.jsonl", 5),
    "entity_tracking_fast": (f"{FAST}/entity_tracking_fast/*.jsonl", 5),
    "wug_adj": (f"{FULL}/wug_adj_nominalization/*.jsonl", 25),
    "wug_past": (f"{FULL}/wug_past_tense/*.jsonl", 25),
    "zorro": ("zorro/*.txt", 2),
    "lexical_decision_published": ("lexical_decision/pairs.csv", 40),
    "dialogue_words_published": ("peer/dpo_natural_train.json", 40),
    "reading": (f"{FULL}/reading/reading_data.csv", 50),
    "aoa": (f"{FULL}/cdi_childes/wordbank_production_by_month.csv", 30),
    "aoa_surprisal": (f"{FULL}/cdi_childes/cdi_childes.json", 6),
}
PAIRS = [
    ("the dogs run home .", "the dogs runs home ."),
    ("look at the ball .", "look at ball the ."),
    ("where is the ball ?", "where the ball is ?"),
    ("the dog", "the dog"),  # a tie
    ("the", "dog"),  # one token each
    ("she wants more juice .", "she want more juice and a cookie ."),
]


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory):
    return TOKENIZERS | {"project": project_tokenizer(tmp_path_factory.mktemp("tokenizer"))}


@pytest.fixture(scope="module")
def model(tokenizers):
    return make_model(positions=2048, vocabulary=max(map(len, tokenizers.values())))


# --- files: written by hand, or a sample of the real ones ----------------------------------------------------


def written(folder: Path) -> None:
    """A few items of every suite."""

    def write(name: str, *records: dict) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(record) + "\n" for record in records))

    pairs = [{"sentence_good": good, "sentence_bad": bad} for good, bad in PAIRS]
    terms = {"field": "syntax", "linguistics_term": "agreement"}
    for place in (f"{FULL}/blimp_filtered", f"{FAST}/blimp_fast"):
        write(f"{place}/one.jsonl", *({**pair, **terms, "UID": "one"} for pair in pairs))
        write(f"{place}/two.jsonl", *({**pair, **terms, "UID": "other"} for pair in pairs[:3]))
    for place in (f"{FULL}/supplement_filtered", f"{FAST}/supplement_fast"):
        write(
            f"{place}/turn_taking.jsonl",
            {"sentence_good": "A: who ?\nB: she .", "sentence_bad": "A: who ?\nB: it ."},
        )
        write(f"{place}/hypernym.jsonl", *pairs)
    contexts = {"Context1": "the dog runs .", "Context2": "the ball is red ."}
    targets = {"Target1": "it runs home .", "Target2": "it is little ."}
    swapped = {"Context1": "the ball is red .", "Context2": "the dog runs .", "Target1": "it is little .",
               "Target2": "it runs home ."}  # fmt: skip
    for place in (f"{FULL}/ewok_filtered", f"{FAST}/ewok_fast"):
        write(f"{place}/agents.jsonl", *({"Domain": "agents", **own} for own in (contexts | targets, swapped)))
        write(f"{place}/things.jsonl", {"Domain": "things", **contexts, "Target1": "so .", "Target2": "so ."})
    for stem in ("comps_base", "comps_wugs", "comps_wugs_dist-before", "comps_wugs_dist-in-between"):
        write(
            f"{FULL}/comps/{stem}.jsonl",
            {"prefix_acceptable": "the dog", "prefix_unacceptable": "the ball", "property_phrase": "runs home ."},
            {"prefix_acceptable": "a cookie", "prefix_unacceptable": "the cup", "property_phrase": f"is {stem} ."},
        )
    for split in ("regular", "ambiref", "move_contents"):
        record = {"input_prefix": "Box 0 contains ", "options": ["the dog .", "the ball .", "juice .", "juice ."]}
        boxes = [{**record, "numops": 0}, {**record, "input_prefix": f"{split} : ", "numops": 0}]
        boxes.append({**record, "options": record["options"][::-1], "numops": 3})
        for place in (
            f"{FULL}/entity_tracking",
            *([f"{FAST}/entity_tracking_fast"] if split == "regular" else []),
        ):
            write(f"{place}/{split}.jsonl", *boxes)
    ratios = [0.9, 0.2, 0.5, 0.5, 0.1, 0.7]
    for name in ("wug_adj_nominalization", "wug_past_tense"):
        records = (
            {"sentences": "\t".join(pair), "ratio": ratio} for pair, ratio in zip(PAIRS, ratios, strict=True)
        )
        write(f"{FULL}/{name}/{name}.jsonl", *records)
    (folder / "zorro").mkdir()
    for stem, own in (("agreement", PAIRS), ("order", PAIRS[:3])):
        (folder / f"zorro/{stem}.txt").write_text("".join(f"{bad.upper()}\n{good}\n" for good, bad in own))
    (folder / "lexical_decision").mkdir()
    words = ["lexeme,wug", "dog,gdo", "juice,jiuec", "cookie,ckoeio", "the,teh", "little,lttile", "ball,dog"]
    (folder / "lexical_decision/pairs.csv").write_text("\n".join(words) + "\n")
    (folder / "peer").mkdir()
    talk = [{"prompt": f"*MOT: {prompt}", "chosen": f"*CHI: {good}", "rejected": f"*CHI: {bad}"}
            for prompt in ("where is it ?", "look .") for good, bad in PAIRS]  # fmt: skip
    (folder / "peer/dpo_natural_train.json").write_text(json.dumps(talk))
    random = np.random.default_rng(SEED)
    table = pd.DataFrame(random.normal(size=(40, 9)), columns=[*reading.COVARIATES, *reading.MEASURES])
    texts = [" ".join(random.choice(["the", "dog", "runs", "zq", "home"], 4)) for _ in range(40)]
    columns = {
        "item": [text.rsplit(" ", 1)[0] for text in texts],
        "word": [text.rsplit(" ", 1)[1] for text in texts],
    }
    columns |= {"prev_item": "the dog", "prev_word": random.choice(["runs", "zqz"], 40)}
    table = table.assign(**columns)
    table.loc[0, ["item", "prev_item", "prev_word"]] = None
    (folder / f"{FULL}/reading").mkdir()
    table.to_csv(folder / f"{FULL}/reading/reading_data.csv")
    (folder / f"{FULL}/cdi_childes").mkdir()
    contexts = {
        "dog": [" look at the", "where is the"],
        "juice": ["she wants more "],
        "a": ["look at"],
        "zq": ["the"],
    }
    (folder / f"{FULL}/cdi_childes/cdi_childes.json").write_text(
        json.dumps({word: [{"context": text} for text in texts] for word, texts in contexts.items()})
    )
    ages = np.arange(16, 31)
    shares = {f"w{middle}": 1 / (1 + np.exp(-0.4 * (ages - middle))) for middle in (12, 18, 21, 22, 25, 27, 40)}
    children = pd.DataFrame(shares, index=ages.astype(str)).T
    children.rename_axis("word").to_csv(folder / f"{FULL}/cdi_childes/wordbank_production_by_month.csv")


def sampled(folder: Path, name: str) -> None:
    """A sample of the real files of a suite, laid out alike."""
    pattern, count = SAMPLES[name]
    paths = sorted(MIRROR.glob(pattern))
    if not paths:
        pytest.skip(f"no {pattern} in {MIRROR}; set BABYLOGUE_MIRROR to a folder that holds the benchmarks")
    random = np.random.default_rng(SEED)

    def some(items: list) -> list:
        return [items[index] for index in sorted(random.permutation(len(items))[:count])]

    for path in paths:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".txt":
            lines = text.splitlines()
            text = "\n".join(
                line for pair in some(list(zip(lines[::2], lines[1::2], strict=True))) for line in pair
            )
        elif path.suffix == ".jsonl":
            text = "\n".join(some(text.splitlines()))
        elif path.suffix == ".csv":
            header, *lines = text.splitlines()
            text = "\n".join([header, *some(lines)])
        elif isinstance(records := json.loads(text), list):
            text = json.dumps(some(records))
        else:
            text = json.dumps({word: contexts[:5] for word, contexts in some(list(records.items()))})
        target = folder / path.relative_to(MIRROR)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text + "\n", encoding="utf-8")


@pytest.fixture(params=["written", "real"])
def mirror(request, tmp_path):
    """A function that gives the mirror folder with a suite's files."""

    def of(name: str) -> Path:
        written(tmp_path) if request.param == "written" else sampled(tmp_path, name)
        return tmp_path

    return of


def suite_scores(name: str, folder: Path, model, tokenizer) -> tuple[pd.DataFrame, dict[tuple[str, str], float]]:
    """Item scores and {(group, metric): value} of the library, through files as in the workflow."""
    suite = registry.load(name)
    if suite.needs:
        source = GivenPairs(kind="given", path=str(folder / SAMPLES[name][0]), part="test")
        given_pairs(source)[0].to_parquet(folder / "pairs.parquet")
        inputs = {"pairs": [folder / "pairs.parquet"]}
    else:
        inputs = {"mirror": suite.mirror_files(folder)}
    suite.read(inputs).to_parquet(folder / "items.parquet")
    scores = suite.evaluate(model, tokenizer, pd.read_parquet(folder / "items.parquet"))
    return scores, {(row["group"], row["metric"]): row["value"] for row in suite.rows(scores)}


# --- section 1 of the rules: completions ----------------------------------------------------------------------


def log_probabilities(model, ids: list[int]) -> torch.Tensor:
    with torch.no_grad():
        return torch.log_softmax(model(torch.tensor([ids])).logits[0].double(), dim=-1)


def completion_score(model, tokenizer, sentence: str, completion: str) -> float:
    """Sum over the tokens that end behind the completion's start; a string's first token has no prediction."""
    encoding = tokenizer(sentence, return_offsets_mapping=True)
    ids, offsets = encoding["input_ids"], encoding["offset_mapping"]
    table = log_probabilities(model, ids)
    start = len(sentence) - len(completion)
    return sum(float(table[i - 1, ids[i]]) for i in range(1, len(ids)) if offsets[i][1] > start)


def records(folder: Path, name: str):
    for path in sorted(folder.glob(SAMPLES[name][0])):
        for line in path.read_text(encoding="utf-8").splitlines():
            yield path.stem, json.loads(line)


def candidates(name: str, stem: str, record: dict) -> tuple[str, list[tuple[str, str]]]:
    """UID and (sentence, completion) of the candidates of a record, the right one first."""
    if name.startswith("blimp"):
        uid = record["UID"] if "field" in record else stem
        return uid, [(record[key], record[key]) for key in ("sentence_good", "sentence_bad")]
    if name.startswith("ewok"):
        targets = [record["Target1"], record["Target2"]]
        return record["Domain"], [(record["Context1"] + " " + target, " " + target) for target in targets]
    if name == "comps":
        phrase = record["property_phrase"]
        uid = stem.removeprefix("comps_").replace("-", "_")
        prefixes = [record["prefix_acceptable"], record["prefix_unacceptable"]]
        return uid, [(prefix + " " + phrase, phrase) for prefix in prefixes]
    if name.startswith("entity_tracking"):
        options = record["options"]
        uid = f"{stem}_{record['numops']}_ops"
        return uid, [(record["input_prefix"] + option, option) for option in options]
    return stem, [(sentence, sentence) for sentence in record["sentences"].split("\t")]


COMPLETIONS = [
    "blimp", "blimp_fast", "blimp_supplement", "blimp_supplement_fast", "ewok", "ewok_fast", "comps",
    "entity_tracking", "entity_tracking_fast",
]  # fmt: skip


@pytest.mark.parametrize("name", COMPLETIONS)
@pytest.mark.parametrize("kind", ["project", "plain"])
def test_completions(name, kind, mirror, model, tokenizers):
    folder, tokenizer = mirror(name), tokenizers[kind]
    scores, rows = suite_scores(name, folder, model, tokenizer)
    right, ties = defaultdict(list), 0
    found = zip(scores["scores"], scores["correct"], records(folder, name), strict=True)
    for own, correct, (stem, record) in found:
        uid, pairs = candidates(name, stem, record)
        expected = np.array([completion_score(model, tokenizer, *pair) for pair in pairs])
        np.testing.assert_allclose(own, expected, atol=1e-4)
        prediction = int(np.argmax(expected))  # the first on a tie
        assert int(np.argmax(own)) == prediction
        assert correct == (prediction == 0)
        right[uid].append(prediction == 0)
        ties += expected[0] == expected.max() and (expected == expected.max()).sum() > 1
    accuracy = {uid: 100 * np.mean(own) for uid, own in right.items()}
    for uid, value in accuracy.items():
        assert rows[uid, "accuracy"] == pytest.approx(value)
    if name.startswith("entity_tracking"):
        splits = defaultdict(list)
        for uid, value in accuracy.items():
            splits[uid.rsplit("_", 2)[0]].append(value)
        accuracy = {split: np.mean(values) for split, values in splits.items()}
    assert rows["all", "accuracy"] == pytest.approx(np.mean(list(accuracy.values())))
    assert rows["all", "ties"] == ties


def test_a_handful_has_ties(tmp_path, model, tokenizers):
    written(tmp_path)
    for kind, ties in (("project", 1), ("plain", 2)):  # equal sentences; without BOS one token each, too
        assert suite_scores("blimp", tmp_path, model, tokenizers[kind])[1]["one", "ties"] == ties


@pytest.mark.parametrize("name", ["wug_adj", "wug_past"])
@pytest.mark.parametrize("kind", ["project", "plain"])
def test_wug(name, kind, mirror, model, tokenizers):
    folder, tokenizer = mirror(name), tokenizers[kind]
    scores, rows = suite_scores(name, folder, model, tokenizer)
    first, ratios = [], []
    for stem, record in records(folder, name):
        values = [completion_score(model, tokenizer, *pair) for pair in candidates(name, stem, record)[1]]
        first.append(np.exp(values[0]) / np.exp(values).sum())
        ratios.append(record["ratio"])
    np.testing.assert_allclose(scores["probability"], first, atol=1e-4)
    assert rows["all", "spearman"] == pytest.approx(spearmanr(first, ratios).statistic, abs=1e-4)


# --- section 2: the suites of Padovani et al. (2025), by minicons ---------------------------------------------


def paper_pairs(name: str, folder: Path) -> list[tuple[str, str, str]]:
    """(group, right string, wrong string)."""
    (*paths,) = sorted(folder.glob(SAMPLES[name][0]))
    if name == "zorro":
        return [
            (path.stem, good.strip().lower(), bad.strip().lower())
            for path in paths
            for lines in [path.read_text(encoding="utf-8").splitlines()]
            for bad, good in zip(lines[::2], lines[1::2], strict=True)
        ]
    if name == "lexical_decision_published":
        return [("words", *line.split(",")) for line in paths[0].read_text(encoding="utf-8").splitlines()[1:]]
    pairs = json.loads(paths[0].read_text(encoding="utf-8"))
    # A pair whose replies are equal prefers nothing, and the set leaves it out.
    return [
        ("pairs", *(f"{pair['prompt']} {pair[side]}" for side in ("chosen", "rejected")))
        for pair in pairs
        if pair["chosen"] != pair["rejected"]
    ]


@pytest.mark.parametrize(
    ("name", "kind", "metric"),
    [
        ("zorro", "project", "accuracy_word_corrected_minicons"),
        ("zorro", "sentencepiece", "accuracy_word_corrected_minicons"),
        ("dialogue_words_published", "project", "accuracy_word_corrected_minicons"),
        ("dialogue_words_published", "sentencepiece", "accuracy_word_corrected_minicons"),
        ("lexical_decision_published", "project", "accuracy_word_corrected_minicons"),
        ("lexical_decision_published", "sentencepiece", "accuracy_no_bos_word_corrected_minicons"),
    ],
)
def test_suites_of_the_paper(name, kind, metric, mirror, model, tokenizers):
    folder, tokenizer = mirror(name), tokenizers[kind]
    scores, rows = suite_scores(name, folder, model, tokenizer)
    peer = IncrementalLMScorer(model, "cpu", tokenizer=tokenizer)
    decisions = defaultdict(list)
    for group, good, bad in paper_pairs(name, folder):
        try:
            own = [
                peer.sequence_score(text, reduction=lambda x: x.sum(0).item(), bow_correction=True)[0]
                for text in (good, bad)
            ]
            decisions[group].append(own[0] > own[1])
        except IndexError:  # nothing to score; counts, as wrong
            decisions[group].append(False)
    assert scores[metric.replace("accuracy", "correct")].tolist() == [
        one for own in decisions.values() for one in own
    ]
    expected = {group: 100 * np.mean(own) for group, own in decisions.items()}
    for group, value in expected.items():
        assert rows[group, metric] == pytest.approx(value)
    assert rows["all", metric] == pytest.approx(np.mean(list(expected.values())))


# --- section 3: reading times ---------------------------------------------------------------------------------


def next_probability(model, tokenizer, text: str, token: int) -> float:
    return float(log_probabilities(model, tokenizer(text)["input_ids"])[-1, token].exp())


def word_probability(model, tokenizer, text: str, word: str) -> float:
    first, *others = tokenizer(word, add_special_tokens=False)["input_ids"]
    p = next_probability(model, tokenizer, text, first)
    text += tokenizer.decode(first)
    for token in others:
        piece = tokenizer.decode(token)
        p *= next_probability(model, tokenizer, text, tokenizer(piece, add_special_tokens=False)["input_ids"][0])
        text += piece
    return p


@pytest.mark.parametrize("kind", ["project", "bos"])
def test_reading(kind, mirror, model, tokenizers, monkeypatch):
    monkeypatch.setattr(reading, "BOOTSTRAP_SAMPLES", 20)
    folder, tokenizer = mirror("reading"), tokenizers[kind]
    scores, rows = suite_scores("reading", folder, model, tokenizer)
    table = pd.read_csv(folder / SAMPLES["reading"][0], dtype={"item": str})
    table["item"] = table["item"].fillna("None")
    surprisal = [
        -np.log(word_probability(model, tokenizer, item, word))
        for item, word in zip(table["item"], table["word"], strict=True)
    ]
    earlier = [
        -np.log(word_probability(model, tokenizer, item, word)) if isinstance(item, str) else np.nan
        for item, word in zip(table["prev_item"], table["prev_word"], strict=True)
    ]
    np.testing.assert_allclose(scores["pred"], surprisal, atol=1e-4)
    np.testing.assert_allclose(scores["prev_pred"], earlier, atol=1e-4)
    table = table.assign(pred=surprisal, prev_pred=earlier)
    base = "(Subtlex_log10 + length + context_length) ** 2"
    paced = "(Subtlex_log10 + length + context_length + prev_length + prev_pred) ** 2"

    def score(measure: str, terms: str, *more: str) -> float:
        columns = [measure, "Subtlex_log10", "length", "context_length", "pred", *more]
        data = table[columns].dropna()
        without = smf.ols(f"{measure} ~ {terms}", data).fit().rsquared
        with_surprisal = smf.ols(f"{measure} ~ {terms} + pred", data).fit().rsquared
        return 100 * (with_surprisal - without) / (1 - without)

    eye = [score(measure, base) for measure in ("RTfirstfix", "RTfirstpass", "RTgopast", "RTrightbound")]
    own = score("self_paced_reading_time", paced, "prev_length", "prev_pred")
    assert rows["eye_tracking", "partial_r2"] == pytest.approx(np.mean(eye), rel=1e-3, abs=1e-4)
    assert rows["self_paced", "partial_r2"] == pytest.approx(own, rel=1e-3, abs=1e-4)


# --- section 4: age of acquisition ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["project", "bos_eos"])
def test_surprisals_of_childrens_words(kind, mirror, model, tokenizers):
    folder, tokenizer = mirror("aoa_surprisal"), tokenizers[kind]
    scores, _ = suite_scores("aoa_surprisal", folder, model, tokenizer)
    words = json.loads((folder / SAMPLES["aoa_surprisal"][0]).read_text(encoding="utf-8"))
    expected = [
        -completion_score(model, tokenizer, record["context"].strip() + " " + word, word)
        for word, contexts in words.items()
        if len(word) > 1
        for record in contexts
    ]
    np.testing.assert_allclose(scores["surprisal"], expected, atol=1e-4)


def sigmoid(x, a, b, c, d):
    return a / (1 + np.exp(-b * (x - c))) + d


def learnt_at(x, y, level, low, high, start, **bounds):
    """Where the fitted sigmoid crosses the level, or None."""
    try:
        (a, b, c, d), _ = curve_fit(sigmoid, x, y, p0=start, maxfev=1000, **bounds)
    except RuntimeError:
        return None
    if a <= 0 or b <= 0 or not d < level < a + d:
        return None
    age = c - np.log(a / (level - d) - 1) / b
    return age if low <= age <= high else None


@pytest.mark.filterwarnings("ignore")
def test_age_of_acquisition(mirror):
    """Surprisals are made up, since those of a tiny untrained model are never learnt."""
    folder = mirror("aoa")
    suite = registry.load("aoa")
    children = suite.read({"mirror": suite.mirror_files(folder)})
    table = pd.read_csv(folder / SAMPLES["aoa"][0], keep_default_na=False, na_values=[""])
    table = table.drop_duplicates("word").set_index("word")
    ages = np.arange(16.0, 31.0)
    seen = np.array([1e5, 3e5, 1e6, 3e6, 1e7, 3e7, 1e8])
    random = np.random.default_rng(SEED)
    rows = []
    for word in table.index:
        curve = 2 + 11 / (1 + np.exp(3 * (np.log10(seen) - random.uniform(5.5, 7.5))))
        for _ in range(3):  # contexts
            values = curve + random.normal(0, 0.3, len(seen))
            rows += [(word, step, value) for step, value in zip(seen, values, strict=True)]
    parts = pd.DataFrame(rows, columns=["group", "words", "surprisal"])
    scores = suite.combiner(parts, children)
    found = {row["metric"]: row["value"] for row in suite.rows(scores)}

    for column, metric, chance in (
        ("model", "pearson", np.log2(300_000)),
        ("model_one_unit", "pearson_one_unit", np.log(300_000)),
    ):
        pairs = []
        for word, shares in table[[str(int(age)) for age in ages]].iterrows():
            known = shares.notna().to_numpy()
            x, y = ages[known], shares.to_numpy(dtype=float)[known]
            bounds = ([0, 0, x.min(), -0.5], [2, 1, x.max(), 0.5]) if len(x) else None
            start = [1, 0.1, x.mean(), 0] if len(x) else None
            child = learnt_at(x, y, 0.5, x.min(), x.max(), start, bounds=bounds) if len(x) > 2 else None
            own = parts[parts["group"] == word]
            x, y = np.log10(own["words"] + 1), -own["surprisal"]
            threshold = chance - 0.5 * (chance - own["surprisal"].min())
            start = [y.max() - y.min(), 1, x.mean(), y.min()]
            age = learnt_at(x, y, -threshold, x.min(), x.max(), start)
            (line,) = scores[scores["item"] == word].itertuples()
            for value, expected in ((line.child, child), (getattr(line, column), age)):
                assert np.isnan(value) if expected is None else value == pytest.approx(expected, abs=1e-4), word
            if child is not None and age is not None:
                pairs.append((child, age))
        assert found[metric.replace("pearson", "words")] == len(pairs) > 2
        assert found[metric] == pytest.approx(pearsonr(*zip(*pairs, strict=True)).statistic, abs=1e-4)
