"""The tokenizer.

Needs: the triplets; words of the pretrain part alone, speaker tags of all.
Makes: tokenizer/, a Hugging Face tokenizer folder.
"""


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
        mem_mb=4000,
    params:
        code=code("tokenizer.py"),
        settings=settings_of(CONFIG.tokenizer),
    script:
        "../scripts/tokenizer.py"
