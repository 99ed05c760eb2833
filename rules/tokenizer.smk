"""The tokenizer, and the texts of the models in its tokens.

Needs: the triplets; for the tokenizer words of the pretrain part alone, speaker tags of all.
Makes: tokenizer/, a Hugging Face tokenizer folder; tokens/{text}/{part}/, texts as token ids.
"""

# Name -> a row of the table of models that has the texts; validation texts have no adults mixed in.
TEXTS = {
    name: row for row in rows(CONFIG.models, "method", "pretrain").values() for name in (row.text, row.text_name())
}


def adult_share(wildcards):
    """The share of adults in the texts."""
    return TEXTS[wildcards.text].adult_share if wildcards.text != TEXTS[wildcards.text].text else 0.0


def text_inputs(wildcards):
    """The triplets of a part and, where the texts have a share of them, of adults."""
    return {"triplets": TRIPLETS[wildcards.part]} | ({"adult": ADULT_TRIPLETS} if adult_share(wildcards) else {})


def text_form(wildcards):
    """Triplets or sentences."""
    return TEXTS[wildcards.text].text


rule tokenizer:
    input:
        **TRIPLETS,
        **({"adult": ADULT_TRIPLETS} if CONFIG.adult_dialogue.path else {}),
    output:
        directory(f"{RESULTS}/tokenizer"),
    log:
        f"{RESULTS}/logs/tokenizer.log",
    benchmark:
        f"{RESULTS}/benchmarks/tokenizer.tsv"
    resources:
        gpu=0,
        mem_mb=by_attempt(4000),
    params:
        code=code("tokenizer.py"),
        settings=settings_of(CONFIG.tokenizer),
    script:
        "../scripts/tokenizer.py"


rule tokens:
    input:
        unpack(text_inputs),
        tokenizer=f"{RESULTS}/tokenizer",
    output:
        directory(f"{RESULTS}/tokens/{{text}}/{{part}}"),
    log:
        f"{RESULTS}/logs/tokens/{{text}}/{{part}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/tokens/{{text}}/{{part}}.tsv"
    wildcard_constraints:
        text=one_of(TEXTS),
    resources:
        gpu=0,
        mem_mb=by_attempt(1000),
    params:
        code=code("tokens.py"),
        form=text_form,
        adult_share=adult_share,
    script:
        "../scripts/tokens.py"
