"""Transcripts to triplets.

Needs: the source of the transcripts that the configuration names.
Makes: corpus/utterances.parquet, rejected.csv, split.parquet, triplets/{part}.parquet, statistics.json.
"""

from babylogue.transcripts.sources import find_archives


def transcript_files():
    """What the utterances are read from: the generated folder, or every file of the local one."""
    if CONFIG.transcripts.source == "toy":
        return [f"{RESULTS}/transcripts/toy"]
    try:
        return [str(path) for path in find_archives(CONFIG.transcripts.path)]
    except UserError as error:
        sys.exit(f"configuration: {error}")


rule toy_transcripts:
    output:
        directory(f"{RESULTS}/transcripts/toy"),
    log:
        f"{RESULTS}/logs/toy_transcripts.log",
    benchmark:
        f"{RESULTS}/benchmarks/toy_transcripts.tsv"
    params:
        code=code("toy_transcripts.py"),
        settings=settings_of(CONFIG.transcripts.toy),
    script:
        "../scripts/toy_transcripts.py"


rule utterances:
    input:
        transcript_files(),
    output:
        utterances=f"{RESULTS}/corpus/utterances.parquet",
        rejected=f"{RESULTS}/corpus/rejected.csv",
        counts=f"{RESULTS}/corpus/files.json",
    log:
        f"{RESULTS}/logs/utterances.log",
    benchmark:
        f"{RESULTS}/benchmarks/utterances.tsv"
    threads: 2
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        code=code("utterances.py"),
        folder=CONFIG.transcripts.path or f"{RESULTS}/transcripts/toy",
        max_rejected_share=CONFIG.transcripts.max_rejected_share,
    script:
        "../scripts/utterances.py"


rule split:
    input:
        f"{RESULTS}/corpus/utterances.parquet",
    output:
        f"{RESULTS}/corpus/split.parquet",
    log:
        f"{RESULTS}/logs/split.log",
    benchmark:
        f"{RESULTS}/benchmarks/split.tsv"
    resources:
        mem_mb=3000,
    params:
        code=code("split.py"),
        settings=settings_of(CONFIG.split),
    script:
        "../scripts/split.py"


rule triplets:
    input:
        utterances=f"{RESULTS}/corpus/utterances.parquet",
        split=f"{RESULTS}/corpus/split.parquet",
        counts=f"{RESULTS}/corpus/files.json",
    output:
        **{part: f"{RESULTS}/corpus/triplets/{part}.parquet" for part in PARTS},
        statistics=f"{RESULTS}/corpus/statistics.json",
    log:
        f"{RESULTS}/logs/triplets.log",
    benchmark:
        f"{RESULTS}/benchmarks/triplets.tsv"
    resources:
        mem_mb=6000,
    params:
        code=code("triplets.py"),
        settings=settings_of(CONFIG.triplets),
        split=settings_of(CONFIG.split),
    script:
        "../scripts/triplets.py"
