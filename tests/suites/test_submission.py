"""Submission files: content by hand; layout and sizes as the collation of the BabyLM 2025 pipeline checks them."""

import importlib.util
import json
import math
import os
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from babylogue.suites import registry
from babylogue.suites.ewok_release import SIZES as EWOK_SIZES
from babylogue.suites.submission import (
    FAST,
    FULL,
    STRICT_SMALL,
    SURPRISAL,
    SURPRISAL_FILE,
    predictions,
    surprisals,
    write_zip,
)
from support.project import PROJECT

MIRROR = Path(os.environ.get("BABYLOGUE_MIRROR", "data"))
BLIMP_SIZES = """
    superlative_quantifiers_2 986 superlative_quantifiers_1 979 anaphor_gender_agreement 971
    principle_a_reconstruction 967 irregular_past_participle_adjectives 961 sentential_subject_island 961
    wh_island 960 left_branch_island_simple_question 951
    coordinate_structure_constraint_object_extraction 949 tough_vs_raising_1 948
    left_branch_island_echo_question 947 principle_a_c_command 946
    regular_plural_subject_verb_agreement_2 945 irregular_past_participle_verbs 942
    determiner_noun_agreement_with_adj_2 941 principle_a_domain_3 941
    determiner_noun_agreement_with_adjective_1 933 anaphor_number_agreement 931
    determiner_noun_agreement_2 931 existential_there_quantifiers_1 930 determiner_noun_agreement_1 929
    matrix_question_npi_licensor_present 929 adjunct_island 928 existential_there_subject_raising 924
    animate_subject_trans 923 drop_argument 920 tough_vs_raising_2 920 wh_vs_that_with_gap 919
    sentential_negation_npi_licensor_present 919 principle_a_case_2 915 principle_a_domain_2 915
    principle_a_domain_1 914 npi_present_2 914 principle_a_case_1 912 existential_there_quantifiers_2 911
    wh_vs_that_with_gap_long_distance 910 npi_present_1 909
    coordinate_structure_constraint_complex_left_branch 906 passive_2 903 wh_questions_subject_gap 898
    animate_subject_passive 895 irregular_plural_subject_verb_agreement_2 892
    regular_plural_subject_verb_agreement_1 890 only_npi_licensor_present 882
    wh_vs_that_no_gap_long_distance 875 distractor_agreement_relative_clause 871
    sentential_negation_npi_scope 871 intransitive 868 transitive 868 wh_vs_that_no_gap 861
    wh_questions_object_gap 859 wh_questions_subject_gap_long_distance 857 inchoative 855
    complex_np_island 846 passive_1 840 determiner_noun_agreement_with_adj_irregular_2 840 only_npi_scope 837
    ellipsis_n_bar_2 828 determiner_noun_agreement_irregular_2 820 causative 818
    existential_there_object_raising 812 irregular_plural_subject_verb_agreement_1 804 ellipsis_n_bar_1 802
    distractor_agreement_relational_noun 788 expletive_it_object_raising 759
    determiner_noun_agreement_with_adj_irregular_1 718 determiner_noun_agreement_irregular_1 681
"""
REGULAR = (606, 607, 606, 606, 568, 159)
BOXES = {
    "regular": REGULAR,
    "ambiref": (607, 607, 604, 604, 615, 187),
    "move_contents": (605, 606, 605, 606, 529, 156),
}
# Predictions of each UID, lower-cased, as collate_preds.py wants them.
SIZES = {
    "blimp": dict(zip(BLIMP_SIZES.split()[::2], map(int, BLIMP_SIZES.split()[1::2]), strict=True)),
    "blimp_fast": dict.fromkeys(BLIMP_SIZES.split()[::2], 200),
    "blimp_supplement": {
        "hypernym": 842,
        "qa_congruence_easy": 64,
        "qa_congruence_tricky": 165,
        "subject_aux_inversion": 3867,
        "turn_taking": 280,
    },
    "entity_tracking": {f"{box}_{ops}_ops": size for box, own in BOXES.items() for ops, size in enumerate(own)},
    "entity_tracking_fast": {f"regular_{ops}_ops": size for ops, size in enumerate(REGULAR)},
    "ewok": EWOK_SIZES,
    "ewok_fast": dict.fromkeys(EWOK_SIZES, 100),
    "comps": {"base": 49340, "wugs_dist_before": 13896, "wugs_dist_in_between": 13896, "wugs": 13896},
    "reading": {"reading": 1726},
    "wug_adj": {"wug_adj": 200},
    "wug_past": {"wug_past": 50},
    "glue_boolq": {"boolq": 1635},
    "glue_mnli": {"mnli": 4908},
    "glue_mrpc": {"mrpc": 204},
    "glue_multirc": {"multirc": 2424},
    "glue_qqp": {"qqp": 20215},
    "glue_rte": {"rte": 139},
    "glue_wsc": {"wsc": 52},
}
SIZES["blimp_supplement_fast"] = dict.fromkeys(SIZES["blimp_supplement"], 50)
# Where collate_preds.py looks, below <model>/<revision>.
CAUSAL = "zero_shot/causal"
WANTED = {
    "main": {
        *(f"finetune/{task}/predictions.json" for task in registry.GLUE_TASKS),
        f"{CAUSAL}/blimp/blimp_filtered/predictions.json",
        f"{CAUSAL}/blimp/supplement_filtered/predictions.json",
        f"{CAUSAL}/ewok/ewok_filtered/predictions.json",
        f"{CAUSAL}/entity_tracking/entity_tracking/predictions.json",
        f"{CAUSAL}/wug_adj/wug_adj_nominalization/predictions.json",
        f"{CAUSAL}/wug_past/wug_past_tense/predictions.json",
        f"{CAUSAL}/comps/comps/predictions.json",
        f"{CAUSAL}/reading/predictions.json",
        f"{CAUSAL}/AoA_word/surprisal.json",
    },
    "chck_1M": {
        f"{CAUSAL}/blimp/blimp_fast/predictions.json",
        f"{CAUSAL}/blimp/supplement_fast/predictions.json",
        f"{CAUSAL}/ewok/ewok_fast/predictions.json",
        f"{CAUSAL}/entity_tracking/entity_tracking_fast/predictions.json",
        f"{CAUSAL}/wug_adj/wug_adj_nominalization/predictions.json",
        f"{CAUSAL}/wug_past/wug_past_tense/predictions.json",
        f"{CAUSAL}/reading/predictions.json",
    },
}


def items(*rows) -> pd.DataFrame:
    """(group, contexts, candidates) as a table of items."""
    table = pd.DataFrame(rows, columns=["group", "contexts", "candidates"])
    return table.assign(item=[f"item_{number}" for number in range(len(rows))])


# --- content, by hand ---------------------------------------------------------------------------------------


def test_a_choice_is_the_text_of_the_best_candidate_counted_in_its_uid():
    table = items(
        ("b", ["", ""], ["the dogs run .", "the dogs runs ."]),
        ("a", ["", ""], ["it is .", "it are ."]),
        ("b", ["", ""], ["a dog .", "a dogs ."]),
    )
    scores = pd.DataFrame({"scores": [[-2.0, -1.0], [-3.0, -3.0], [-1.0, -4.0]]})
    assert predictions("blimp", table, scores) == {
        "b": {"predictions": [{"id": "b_0", "pred": "the dogs runs ."}, {"id": "b_1", "pred": "a dog ."}]},
        "a": {"predictions": [{"id": "a_0", "pred": "it is ."}]},  # a tie: the first, as argmax has it
    }


def test_ewok_gives_the_target_and_comps_the_whole_sentence():
    row = ("base", ["a cup ", "a dog "], ["barks .", "barks ."])
    scores = pd.DataFrame({"scores": [[-2.0, -1.0]]})
    assert predictions("comps", items(row), scores)["base"]["predictions"][0]["pred"] == "a dog barks ."
    row = ("spatial", ["the dog runs ."] * 2, [" it is home .", " it is red ."])
    assert predictions("ewok", items(row), scores)["spatial"]["predictions"][0]["pred"] == " it is red ."


def test_wug_adds_the_probability_under_the_name_of_the_task():
    table = items(("wug_adj_nominalization", ["", ""], ["wugity", "wugness"]))
    scores = pd.DataFrame({"scores": [[-1.0, -2.0]], "probability": [0.73]})
    own = [{"id": "wug_adj_0", "pred": "wugity", "prob": 0.73}]
    assert predictions("wug_adj", table, scores) == {"wug_adj": {"predictions": own}}


def test_reading_and_labels():
    scores = pd.DataFrame({"pred": [1.5, 2.5], "prev_pred": [math.nan, 0.5]})
    first, second = predictions("reading", pd.DataFrame(), scores)["reading"]["predictions"]
    assert (first["id"], first["pred"], second) == (0, 1.5, {"id": 1, "pred": 2.5, "prev_pred": 0.5})
    assert math.isnan(first["prev_pred"])
    scores = pd.DataFrame({"predicted": np.array([1, 0]), "predicted_last_token": [0, 0]})
    own = [{"id": "rte_0", "pred": 1}, {"id": "rte_1", "pred": 0}]
    assert predictions("glue_rte", pd.DataFrame(), scores) == {"rte": {"predictions": own}}


def test_surprisals_of_all_checkpoints_are_one_file():
    table = items(("dog", ["the "], ["dog"]), ("ball", ["a "], ["ball"]), ("dog", ["my "], ["dog"]))
    scores = {name: pd.DataFrame({"surprisal": [1.0, 2.0, 3.0]}) for name in ("chck_1M", "chck_2M")}
    found = surprisals("base_seed0", table, scores, {"chck_1M": 1_000_000, "chck_2M": 2_000_000, "final": 3})
    assert found["metadata"]["completed_steps"] == 2
    assert len(found["results"]) == 6
    assert found["results"][5] == {
        "step": "chck_2M",
        "word_count": 2_000_000,
        "target_word": "dog",
        "context_id": 1,
        "context": "my ",
        "surprisal": 3.0,
    }


def test_the_same_predictions_make_the_same_zip(tmp_path):
    contents = [("m/main/a.json", {"a": math.nan}), ("m/main/b.json", {"b": 1})]
    for name in ("one.zip", "two.zip"):
        assert write_zip(tmp_path / name, contents) == 2
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


# --- layout and sizes ---------------------------------------------------------------------------------------


def test_layout_is_what_the_collation_looks_for():
    assert {f"{folder}/predictions.json" for folder in FULL.values()} | {SURPRISAL_FILE} == WANTED["main"]
    assert {f"{folder}/predictions.json" for folder in FAST.values()} == WANTED["chck_1M"]
    assert {*FULL, *FAST, SURPRISAL} <= set(registry.NAMES)
    assert len(STRICT_SMALL) == 19
    assert STRICT_SMALL[8:11] == ("chck_9M", "chck_10M", "chck_20M")


def made_up_scores(table: pd.DataFrame) -> pd.DataFrame:
    """Item scores of the columns that a submission needs, in which the right candidate always wins."""
    if "part" in table:
        valid = table[table["part"] == "valid"]
        return pd.DataFrame({"predicted": valid["label"]})
    scores = [[0.0] + [-1.0] * (len(own) - 1) for own in table["candidates"]] if "candidates" in table else 0.0
    return pd.DataFrame({"scores": scores, "probability": 0.5, "pred": 1.0, "prev_pred": 1.0, "surprisal": 1.0},
                        index=table.index)  # fmt: skip


@pytest.mark.parametrize("name", sorted({*FULL, *FAST}))
def test_sizes_are_what_the_collation_wants(name):
    suite = registry.load(name)
    if not all(source.find(MIRROR) for source in suite.sources):
        pytest.skip(f"no {name} in {MIRROR}; set BABYLOGUE_MIRROR to a folder that holds the benchmarks")
    table = suite.read({"mirror": suite.mirror_files(MIRROR)})
    content = json.loads(json.dumps(predictions(name, table, made_up_scores(table))))
    assert {uid.lower(): len(own["predictions"]) for uid, own in content.items()} == SIZES[name]
    for uid, own in content.items():
        if name != "reading":
            assert [row["id"] for row in own["predictions"]] == [
                f"{uid}_{n}" for n in range(len(own["predictions"]))
            ]


@pytest.mark.parametrize("name", ["blimp", "blimp_fast", "blimp_supplement", "blimp_supplement_fast"])
def test_predictions_stand_in_the_order_of_the_file_of_their_uid(name):
    """The collation pairs the predictions of a UID with the lines of the file of that name."""
    suite = registry.load(name)
    (source,) = suite.sources
    if not source.find(MIRROR):
        pytest.skip(f"no {name} in {MIRROR}; set BABYLOGUE_MIRROR to a folder that holds the benchmarks")
    table = suite.read({"mirror": suite.mirror_files(MIRROR)})
    content = predictions(name, table, made_up_scores(table))
    for file in source.find(MIRROR):
        good = [json.loads(line)["sentence_good"] for line in file.read_text(encoding="utf-8").splitlines()]
        assert [row["pred"] for row in content[file.stem]["predictions"]] == good


def test_surprisals_have_the_size_that_the_collation_wants():
    suite = registry.load(SURPRISAL)
    if not suite.sources[0].find(MIRROR):
        pytest.skip(f"no {SURPRISAL} in {MIRROR}; set BABYLOGUE_MIRROR to a folder that holds the benchmarks")
    table = suite.read({"mirror": suite.mirror_files(MIRROR)})
    scores = made_up_scores(table)
    words = {name: int(name[5:-1]) * 10**6 for name in STRICT_SMALL}
    results = surprisals("m", table, dict.fromkeys(STRICT_SMALL, scores), words)["results"]
    steps = pd.DataFrame(results)["step"].value_counts()
    assert steps.to_dict() == dict.fromkeys(STRICT_SMALL, 8005)


# --- the rule -----------------------------------------------------------------------------------------------


def test_script_packs_main_and_checkpoints(tmp_path):
    spec = importlib.util.spec_from_file_location("submission_script", PROJECT / "scripts/submission.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    table = items(("a", ["", ""], ["good", "bad"]))
    words = items(("dog", ["the "], ["dog"]))
    files = {}
    for name, frame in {"blimp": table, "blimp_fast": table, SURPRISAL: words}.items():
        files[name] = tmp_path / f"{name}.parquet"
        frame.to_parquet(files[name])
    wanted = [("blimp", "final"), ("blimp_fast", "chck_1M"), (SURPRISAL, "chck_1M")]
    scores = []
    for suite, checkpoint in wanted:
        scores.append(tmp_path / f"{checkpoint}_{suite}.parquet")
        pd.DataFrame({"scores": [[0.0, -1.0]], "surprisal": [2.0]}).to_parquet(scores[-1])
    job = SimpleNamespace(
        input=SimpleNamespace(tables=list(map(str, files.values())), item_scores=list(map(str, scores))),
        output=[tmp_path / "seed0.zip"],
        params=SimpleNamespace(
            model="base_seed0",
            files=[("blimp", "final", FULL["blimp"]), ("blimp_fast", "chck_1M", FAST["blimp_fast"])],
            scores=wanted,
            surprisal=["chck_1M"],
            words={"chck_1M": 1_000_000},
            lacks=[],
        ),
    )
    script.main(job)
    with zipfile.ZipFile(tmp_path / "seed0.zip") as zipped:
        content = {name: json.loads(zipped.read(name)) for name in zipped.namelist()}
    assert list(content) == [
        f"base_seed0/main/{CAUSAL}/blimp/blimp_filtered/predictions.json",
        f"base_seed0/chck_1M/{CAUSAL}/blimp/blimp_fast/predictions.json",
        f"base_seed0/main/{CAUSAL}/AoA_word/surprisal.json",
    ]
    assert content[f"base_seed0/main/{SURPRISAL_FILE}"]["results"][0]["surprisal"] == 2.0


def test_dry_run_asks_for_what_can_be_had_at_every_checkpoint(project):
    for name in ("blimp", "blimp_fast", "reading", SURPRISAL):
        for source in registry.load(name).sources:
            project.write(f"bench/{source.path.replace('*', 'one')}", "")
    mirror = ("--config", "suites={mirror: bench, download: false}", "--")
    planned = project.planned(*mirror, "results/submission/base/seed0.zip")
    scores = {"/".join(score.split("/")[-2:]) for score in planned["score"]}
    steps = [
        f"chck_{words}K/{suite}.json" for words in (50, 150) for suite in ("blimp_fast", "reading", SURPRISAL)
    ]
    assert scores == {"final/blimp.json", "final/reading.json", *steps}
    assert planned["submission"] == ["results/submission/base/seed0.zip"]
    tuned = project.planned(*mirror, "results/submission/dpo_natural/seed0.zip")
    assert len(tuned["score"]) == 2
    off = ("--config", "suites={download: false}", "--")
    done = project.snakemake("--dry-run", *off, "results/submission/base/seed0.zip", check=False)
    assert "submission/base: none of its suites can be had; set suites.mirror" in done.stdout
    assert "Traceback" not in done.stdout
