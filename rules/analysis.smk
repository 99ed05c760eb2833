"""What the scores say: differences between models, item by item too, shallow baselines, learning curves; what the pair
sets are and what rewards do.

Needs: scores and their items, the tuning pairs, the cards of the pair sets, the logs of models.
Makes: report/comparisons.csv, items.parquet and items.json, baselines.csv, pair_cards.csv, rewarded_runs.csv,
reward_correlations.csv, trajectories.csv, trajectory_fits.csv.
"""

PRETRAINED = [[run, seed] for run in rows(CONFIG.models, "method", "pretrain") for seed in CONFIG.seeds]
REWARDED_SEEDS = [[run, seed] for run in REWARDED for seed in CONFIG.seeds]


localrules:
    rewarded_runs,
    pair_cards,
    trajectories,


def suite_contrasts():
    """Suite -> the contrasts of which both sides are scored on it."""
    scored = {(run, checkpoint, suite) for run, _, checkpoint, suite in SCORES}
    found = {
        suite: [
            contrast
            for contrast in CONFIG.contrasts()
            if (*contrast[:2], suite) in scored and (*contrast[2:], suite) in scored
        ]
        for suite in dict.fromkeys(suite for *_, suite in SCORES)
    }
    return {suite: contrasts for suite, contrasts in found.items() if contrasts}


CONTRASTS = suite_contrasts()
SIDES = {
    suite: {side for contrast in contrasts for side in (contrast[:2], contrast[2:])}
    for suite, contrasts in CONTRASTS.items()
}
COMPARED = [score for score in SCORES if (score[0], score[2]) in SIDES.get(score[3], ())]


def models_on_items():
    """Suite with right and wrong answers -> the models that are scored on it at the checkpoint that is reported."""
    scored, seed = set(SCORES), CONFIG.seeds[0]
    found = {
        suite: [run for run in CONFIG.models if (run, seed, REPORTED_AT[run], suite) in scored]
        for suite in dict.fromkeys(suite for *_, suite in SCORES)
        if load_suite(suite).has_answers
    }
    return {suite: runs for suite, runs in found.items() if runs}


ITEMS = models_on_items()
# Suites whose terms, or the configuration, let items stand as text; pair sets are of transcripts.
QUOTED = [
    suite
    for suite in ITEMS
    if load_suite(suite).plain_text and (CONFIG.report.quotes or suite not in CONFIG.pairs)
]


# Suite of pairs -> the set that its shallow baselines learn from; without natural pairs there are none.
DIALOGUE = {
    suite: pairs
    for suite in REPORTED
    if suite in PAIR_SUITES and (pairs := pair_suites.baseline_pairs(PAIR_SUITES[suite], CONFIG.pairs))
}


def sets_in_use():
    """The pair sets that are trained, watched or scored on, and those that they are made from."""
    used = [row.pairs for row in rows(CONFIG.models, "method", "dpo").values()]
    used += [row.heldout_pairs for row in REWARDED.values()]
    used += [*DIALOGUE.values(), *(suite for suite in REPORTED if suite in CONFIG.pairs)]
    return with_bases(used)


def with_bases(sets):
    """Pair sets and those that they are made from, in the order of the configuration."""
    found, waiting = set(), list(sets)
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting += getattr(CONFIG.pairs[name], "shares", ())
        waiting += [base] if (base := getattr(CONFIG.pairs[name], "base", None)) else []
    return [name for name in CONFIG.pairs if name in found]


rule comparisons:
    input:
        [
            f"{RESULTS}/scores/{run}/seed{seed}/{checkpoint}/{suite}.parquet"
            for run, seed, checkpoint, suite in COMPARED
        ],
    output:
        shown("comparisons"),
    log:
        f"{RESULTS}/logs/comparisons.log",
    benchmark:
        f"{RESULTS}/benchmarks/comparisons.tsv"
    resources:
        gpu=0,
    params:
        code=code("comparisons.py", *map(suite_module, CONTRASTS)),
        scores=COMPARED,
        contrasts=CONTRASTS,
        modules={suite: suite_module(suite) for suite in CONTRASTS},
    script:
        "../scripts/comparisons.py"


rule items:
    input:
        # Of other suites the items are not even read.
        suites=[f"{RESULTS}/suites/{suite}.parquet" for suite in QUOTED],
        scores=[
            f"{RESULTS}/scores/{run}/seed{CONFIG.seeds[0]}/{REPORTED_AT[run]}/{suite}.parquet"
            for suite, runs in ITEMS.items()
            for run in runs
        ],
    output:
        table=f"{RESULTS}/report/items.parquet",
        page=f"{RESULTS}/report/items.json",
    log:
        f"{RESULTS}/logs/items.log",
    benchmark:
        f"{RESULTS}/benchmarks/items.tsv"
    resources:
        gpu=0,
    params:
        code=code("items.py"),
        suites=ITEMS,
        plain_text=QUOTED,
        seed=CONFIG.seeds[0],
    script:
        "../scripts/items.py"


rule baselines:
    input:
        train=[f"{RESULTS}/pairs/{pairs}.parquet" for pairs in DIALOGUE.values()],
        test=[f"{RESULTS}/pairs/{suite}.parquet" for suite in DIALOGUE],
    output:
        shown("baselines"),
    log:
        f"{RESULTS}/logs/baselines.log",
    resources:
        gpu=0,
    params:
        code=code("baselines.py"),
        suites=list(DIALOGUE),
        pairs=list(DIALOGUE.values()),
    script:
        "../scripts/baselines.py"


rule rewarded_runs:
    input:
        logs=[model_file(run, "log.csv").format(seed=seed) for run, seed in REWARDED_SEEDS],
        samples=[model_file(run, "samples.parquet").format(seed=seed) for run, seed in REWARDED_SEEDS],
        settings=[model_file(run, "settings.yaml").format(seed=seed) for run, seed in REWARDED_SEEDS],
    output:
        runs=shown("rewarded_runs"),
        correlations=shown("reward_correlations"),
    log:
        f"{RESULTS}/logs/rewarded_runs.log",
    params:
        code=code("rewarded_runs.py"),
        runs=REWARDED_SEEDS,
    script:
        "../scripts/rewarded_runs.py"


rule pair_cards:
    input:
        expand(f"{RESULTS}/pairs/{{pairs}}.card.json", pairs=sets_in_use()),
    output:
        shown("pair_cards"),
    log:
        f"{RESULTS}/logs/pair_cards.log",
    params:
        code=code("pair_cards.py"),
    script:
        "../scripts/pair_cards.py"


rule trajectories:
    input:
        scores=f"{RESULTS}/report/scores.csv",
        logs=[model_file(run, "log.csv").format(seed=seed) for run, seed in PRETRAINED],
    output:
        trajectories=shown("trajectories"),
        fits=shown("trajectory_fits"),
    log:
        f"{RESULTS}/logs/trajectories.log",
    params:
        code=code("trajectories.py"),
        pretrained=PRETRAINED,
    script:
        "../scripts/trajectories.py"
