"""Preference pairs.

Needs: triplets, the tokenizer for sets that match in tokens, the teacher's replies for synthetic sets; for a set
made elsewhere its file, or the Hub.
Makes: pairs/{pairs}.parquet, {pairs}.filters.json (what the filters removed) and {pairs}.card.json (what is in the
set). Nothing is trained on a card, so that one that changes reruns no model.
"""

NATURAL = rows(CONFIG.pairs, "kind", "natural")
SYNTHETIC = rows(CONFIG.pairs, "kind", "synthetic")
SYNTAX = rows(CONFIG.pairs, "kind", "syntax")
MIXED = rows(CONFIG.pairs, "kind", "mixed")
GIVEN = rows(CONFIG.pairs, "kind", "given")


localrules:
    synthetic_pairs,
    mixed_pairs,
    given_pairs,


def pairs_settings(wildcards):
    """The row of the pair set."""
    return settings_of(CONFIG.pairs[wildcards.pairs])


def base_part(wildcards):
    """The part of the corpus, tune or test, that a natural set, or the base of a syntax set, is of."""
    row = CONFIG.pairs[wildcards.pairs]
    return row.part if row.kind == "natural" else CONFIG.pairs[row.base].part


def division(wildcards):
    """How the tune part is divided; sets of the test part do not depend on it."""
    return settings_of(CONFIG.tuning) if base_part(wildcards) == "tune" else {}


def natural_inputs(wildcards):
    """Triplets of the set's part, who belongs together, and the tokenizer where tokens are counted."""
    row = CONFIG.pairs[wildcards.pairs]
    inputs = {"triplets": TRIPLETS[row.part], "split": f"{RESULTS}/corpus/split.parquet"}
    return inputs | ({"tokenizer": f"{RESULTS}/tokenizer"} if row.match == "tokens" else {})


def synthetic_inputs(wildcards):
    """The natural base set, and the replies to its prompts."""
    base = CONFIG.pairs[wildcards.pairs].base
    return {"natural": f"{RESULTS}/pairs/{base}.parquet", "replies": f"{RESULTS}/teacher/{base}.parquet"}


def syntax_inputs(wildcards):
    """Triplets of the part that the natural base set is of, and who belongs together."""
    return {"triplets": TRIPLETS[base_part(wildcards)], "split": f"{RESULTS}/corpus/split.parquet"}


def mixed_inputs(wildcards):
    """The sets that are mixed, in the order of the shares."""
    return expand(f"{RESULTS}/pairs/{{pairs}}.parquet", pairs=CONFIG.pairs[wildcards.pairs].shares)


def given_inputs(wildcards):
    """The set's file, if it is one on this machine, and what pairs to train on must not have."""
    row = CONFIG.pairs[wildcards.pairs]
    inputs = {"file": outside_files(f"pairs.{wildcards.pairs}.path", row.path)} if row.path else {}
    return inputs | ({"test": TRIPLETS["test"]} if row.part == "tune" else {})


def given_state(wildcards):
    """The state of the set's file."""
    return outside_state(f"pairs.{wildcards.pairs}.path", CONFIG.pairs[wildcards.pairs].path)


rule natural_pairs:
    input:
        unpack(natural_inputs),
    output:
        pairs=f"{RESULTS}/pairs/{{pairs}}.parquet",
        filters=f"{RESULTS}/pairs/{{pairs}}.filters.json",
    log:
        f"{RESULTS}/logs/pairs/{{pairs}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/pairs/{{pairs}}.tsv"
    wildcard_constraints:
        pairs=one_of(NATURAL),
    resources:
        gpu=0,
        mem_mb=by_attempt(4000),
    params:
        code=code("natural_pairs.py"),
        settings=pairs_settings,
        tuning=division,
    script:
        "../scripts/natural_pairs.py"


rule synthetic_pairs:
    input:
        unpack(synthetic_inputs),
    output:
        pairs=f"{RESULTS}/pairs/{{pairs}}.parquet",
        filters=f"{RESULTS}/pairs/{{pairs}}.filters.json",
    log:
        f"{RESULTS}/logs/pairs/{{pairs}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/pairs/{{pairs}}.tsv"
    wildcard_constraints:
        pairs=one_of(SYNTHETIC),
    params:
        code=code("synthetic_pairs.py"),
        settings=pairs_settings,
    script:
        "../scripts/synthetic_pairs.py"


rule syntax_pairs:
    input:
        unpack(syntax_inputs),
    output:
        pairs=f"{RESULTS}/pairs/{{pairs}}.parquet",
        filters=f"{RESULTS}/pairs/{{pairs}}.filters.json",
    log:
        f"{RESULTS}/logs/pairs/{{pairs}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/pairs/{{pairs}}.tsv"
    wildcard_constraints:
        pairs=one_of(SYNTAX),
    resources:
        gpu=0,
        mem_mb=by_attempt(4000),
    params:
        code=code("syntax_pairs.py"),
        settings=pairs_settings,
        part=base_part,
        tuning=division,
    script:
        "../scripts/syntax_pairs.py"


rule mixed_pairs:
    input:
        mixed_inputs,
    output:
        pairs=f"{RESULTS}/pairs/{{pairs}}.parquet",
        filters=f"{RESULTS}/pairs/{{pairs}}.filters.json",
    log:
        f"{RESULTS}/logs/pairs/{{pairs}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/pairs/{{pairs}}.tsv"
    wildcard_constraints:
        pairs=one_of(MIXED),
    params:
        code=code("mixed_pairs.py"),
        settings=pairs_settings,
    script:
        "../scripts/mixed_pairs.py"


rule given_pairs:
    input:
        unpack(given_inputs),
    output:
        pairs=f"{RESULTS}/pairs/{{pairs}}.parquet",
        filters=f"{RESULTS}/pairs/{{pairs}}.filters.json",
    log:
        f"{RESULTS}/logs/pairs/{{pairs}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/pairs/{{pairs}}.tsv"
    wildcard_constraints:
        pairs=one_of(GIVEN),
    params:
        code=code("given_pairs.py"),
        settings=pairs_settings,
        state=given_state,
    script:
        "../scripts/given_pairs.py"


rule pair_card:
    input:
        **TRIPLETS,
        pairs=f"{RESULTS}/pairs/{{pairs}}.parquet",
        filters=f"{RESULTS}/pairs/{{pairs}}.filters.json",
        split=f"{RESULTS}/corpus/split.parquet",
        tokenizer=f"{RESULTS}/tokenizer",
    output:
        report(
            f"{RESULTS}/pairs/{{pairs}}.card.json",
            caption="captions/pair_card.rst",
            category="Pair cards",
            labels={"pairs": "{pairs}"},
        ),
    log:
        f"{RESULTS}/logs/pair_cards/{{pairs}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/pair_cards/{{pairs}}.tsv"
    resources:
        gpu=0,
        mem_mb=by_attempt(2000),
    params:
        code=code("pair_card.py"),
        settings=pairs_settings,
    script:
        "../scripts/pair_card.py"
