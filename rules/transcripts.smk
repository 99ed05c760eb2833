"""Transcripts to triplets.

Needs: the source of the transcripts that the configuration names.
Makes: corpus/utterances.parquet, transcripts.parquet, rejected.csv, split.parquet, copies.csv,
triplets/{part}.parquet, statistics.json; of dialogue between adults adult/utterances.parquet and triplets.parquet.
"""

from babylogue.transcripts.sources import find_archives

TRIPLETS = {part: f"{RESULTS}/corpus/triplets/{part}.parquet" for part in PARTS}
ADULT_TRIPLETS = f"{RESULTS}/adult/triplets.parquet"
FOLDERS = {
    "corpus": CONFIG.transcripts.path or f"{RESULTS}/transcripts/{CONFIG.transcripts.source}",
    "adult": CONFIG.adult_dialogue.path,
}


localrules:
    toy_transcripts,
    talkbank,
    childes_db,
    split,
    corpus_statistics,


@cache
def local_transcripts(collection):
    """The files of a local source; the run stops where there are none."""
    key = {"corpus": "transcripts.path", "adult": "adult_dialogue.path"}[collection]
    try:
        return [str(path) for path in find_archives(FOLDERS[collection])]
    except UserError as error:
        sys.exit(f"configuration: {key}: {error}")


def source_of(wildcards):
    """The kind of the source."""
    return CONFIG.transcripts.source if wildcards.collection == "corpus" else "local"


def transcript_files(wildcards):
    """What the utterances are read from, by the kind of the source: folder, files, manifest or tables."""
    source = source_of(wildcards)
    if source == "toy":
        return {"folder": FOLDERS["corpus"]}
    if source == "talkbank":
        return {"manifest": f"{FOLDERS['corpus']}.json"}
    if source == "childes_db":
        return {"tables": f"{FOLDERS['corpus']}.parquet"}
    return {"files": local_transcripts(wildcards.collection)}


def transcript_state(wildcards):
    """The state of a local source's files; those of other sources are in the results."""
    if source_of(wildcards) != "local":
        return None
    return state_of(local_transcripts(wildcards.collection), FOLDERS[wildcards.collection])


def transcript_folder(wildcards):
    """The folder that names of transcripts are relative to."""
    return FOLDERS[wildcards.collection]


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


rule talkbank:
    output:
        f"{RESULTS}/transcripts/talkbank.json",
    log:
        f"{RESULTS}/logs/talkbank.log",
    benchmark:
        f"{RESULTS}/benchmarks/talkbank.tsv"
    params:
        code=code("talkbank.py"),
        settings=settings_of(CONFIG.transcripts.talkbank) if CONFIG.transcripts.talkbank else {},
        # No output, so that what has come survives a failure.
        folder=f"{RESULTS}/transcripts/talkbank",
    script:
        "../scripts/talkbank.py"


rule childes_db:
    output:
        f"{RESULTS}/transcripts/childes_db.parquet",
    log:
        f"{RESULTS}/logs/childes_db.log",
    benchmark:
        f"{RESULTS}/benchmarks/childes_db.tsv"
    params:
        code=code("childes_db.py"),
        settings=settings_of(CONFIG.transcripts.childes_db) if CONFIG.transcripts.childes_db else {},
    script:
        "../scripts/childes_db.py"


rule utterances:
    input:
        unpack(transcript_files),
    output:
        utterances=f"{RESULTS}/{{collection}}/utterances.parquet",
        transcripts=f"{RESULTS}/{{collection}}/transcripts.parquet",
        rejected=f"{RESULTS}/{{collection}}/rejected.csv",
        counts=f"{RESULTS}/{{collection}}/files.json",
    log:
        f"{RESULTS}/logs/utterances/{{collection}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/utterances/{{collection}}.tsv"
    wildcard_constraints:
        collection=one_of(FOLDERS),
    threads: 2
    resources:
        gpu=0,
        mem_mb=by_attempt(3000),
        runtime=60,
    params:
        code=code("utterances.py"),
        folder=transcript_folder,
        state=transcript_state,
        max_rejected_share=CONFIG.transcripts.max_rejected_share,
    script:
        "../scripts/utterances.py"


rule split:
    input:
        f"{RESULTS}/corpus/transcripts.parquet",
    output:
        split=f"{RESULTS}/corpus/split.parquet",
        copies=f"{RESULTS}/corpus/copies.csv",
    log:
        f"{RESULTS}/logs/split.log",
    benchmark:
        f"{RESULTS}/benchmarks/split.tsv"
    resources:
        mem_mb=by_attempt(2000),
    params:
        code=code("split.py"),
        settings=settings_of(CONFIG.split),
    script:
        "../scripts/split.py"


rule triplets:
    input:
        utterances=f"{RESULTS}/corpus/utterances.parquet",
        split=f"{RESULTS}/corpus/split.parquet",
    output:
        **TRIPLETS,
        counts=f"{RESULTS}/corpus/triplets/counts.json",
    log:
        f"{RESULTS}/logs/triplets.log",
    benchmark:
        f"{RESULTS}/benchmarks/triplets.tsv"
    resources:
        gpu=0,
        mem_mb=by_attempt(2000),
        runtime=60,
    params:
        code=code("triplets.py"),
        settings=settings_of(CONFIG.triplets),
        split=settings_of(CONFIG.split),
    script:
        "../scripts/triplets.py"


rule adult_triplets:
    input:
        utterances=f"{RESULTS}/adult/utterances.parquet",
        transcripts=f"{RESULTS}/adult/transcripts.parquet",
    output:
        ADULT_TRIPLETS,
    log:
        f"{RESULTS}/logs/adult_triplets.log",
    benchmark:
        f"{RESULTS}/benchmarks/adult_triplets.tsv"
    resources:
        gpu=0,
        mem_mb=by_attempt(2000),
    params:
        code=code("adult_triplets.py"),
        settings=settings_of(CONFIG.triplets, "pretrain_words", "min_age_months", "max_age_months"),
    script:
        "../scripts/adult_triplets.py"


rule corpus_statistics:
    input:
        **TRIPLETS,
        utterances=f"{RESULTS}/corpus/utterances.parquet",
        transcripts=f"{RESULTS}/corpus/transcripts.parquet",
        files=f"{RESULTS}/corpus/files.json",
        counts=f"{RESULTS}/corpus/triplets/counts.json",
    output:
        f"{RESULTS}/corpus/statistics.json",
    log:
        f"{RESULTS}/logs/corpus_statistics.log",
    benchmark:
        f"{RESULTS}/benchmarks/corpus_statistics.tsv"
    resources:
        mem_mb=by_attempt(2000),
    params:
        code=code("corpus_statistics.py"),
    script:
        "../scripts/corpus_statistics.py"
