"""The tables and the page.

Needs: every score that the configuration asks for, what analysis.smk makes, the logs of the models, the corpus
statistics.
Makes: report/scores.csv, sources.csv, missing.csv, index.html; report/figures/, every figure of the page as
{name}.svg and its data as {name}.csv.
"""

from dataclasses import asdict

SCORES = [score for score in CONFIG.scores() if score[-1] not in MISSING]
if not SCORES:
    sys.exit(f"evaluate: none of its suites can be had: {', '.join(MISSING)}")
SCORE_FILES = [
    f"{RESULTS}/scores/{run}/seed{seed}/{checkpoint}/{suite}.json" for run, seed, checkpoint, suite in SCORES
]
REPORTED = sorted({suite for *_, suite in SCORES})
# Relative, so that a project that is moved as a whole is up to date.
REPORT = Path(workflow.basedir, "scripts/babylogue/report")
TEMPLATES = sorted(map(os.path.relpath, REPORT.joinpath("templates").rglob("[a-z]*.*")))
REPORTED_AT = CONFIG.reported()
SHOWN = {"method", "parent", "parent_checkpoint", "text", "pairs", "reward"}


localrules:
    scores_table,
    suite_sources,
    report,


def suite_descriptions(wildcards):
    """What every reported suite is, in words."""
    return {suite: load_suite(suite).description for suite in REPORTED}


def origin_files(wildcards):
    """What says where the files of each reported suite come from."""
    suites = {part for suite in REPORTED for part in (suite, *suite_parts(suite))}
    return [f"{RESULTS}/suites/{suite}.json" for suite in sorted(suites) if load_suite(suite).sources]


rule scores_table:
    input:
        SCORE_FILES,
    output:
        f"{RESULTS}/report/scores.csv",
    log:
        f"{RESULTS}/logs/scores_table.log",
    params:
        code=code("scores_table.py"),
    script:
        "../scripts/scores_table.py"


rule suite_sources:
    input:
        origin_files,
    output:
        sources=f"{RESULTS}/report/sources.csv",
        missing=f"{RESULTS}/report/missing.csv",
    log:
        f"{RESULTS}/logs/suite_sources.log",
    params:
        code=code("suite_sources.py"),
        missing=[asdict(suite) for suite in MISSING.values()],
    script:
        "../scripts/suite_sources.py"


rule report:
    input:
        pair_cards=f"{RESULTS}/report/pair_cards.csv",
        sources=f"{RESULTS}/report/sources.csv",
        missing=f"{RESULTS}/report/missing.csv",
        scores=f"{RESULTS}/report/scores.csv",
        comparisons=f"{RESULTS}/report/comparisons.csv",
        baselines=f"{RESULTS}/report/baselines.csv",
        trajectories=f"{RESULTS}/report/trajectories.csv",
        fits=f"{RESULTS}/report/trajectory_fits.csv",
        rewarded_runs=f"{RESULTS}/report/rewarded_runs.csv",
        correlations=f"{RESULTS}/report/reward_correlations.csv",
        statistics=f"{RESULTS}/corpus/statistics.json",
        logs=[model_file(run, "log.csv").format(seed=seed) for run in CONFIG.models for seed in CONFIG.seeds],
        templates=TEMPLATES,
        published=os.path.relpath(REPORT / "published_trajectory.csv"),
    output:
        page=f"{RESULTS}/report/index.html",
        figures=directory(f"{RESULTS}/report/figures"),
    log:
        f"{RESULTS}/logs/report.log",
    params:
        code=code("report.py"),
        models=[
            {"run": run, "checkpoint": REPORTED_AT[run], **row.model_dump(include=SHOWN)}
            for run, row in CONFIG.models.items()
        ],
        suites=suite_descriptions,
        seeds=CONFIG.seeds,
        source=CONFIG.transcripts.source,
        judge=(
            CONFIG.teacher.judge
            if any("judge" in reward_needs(row.reward) for row in REWARDED.values())
            else None
        ),
    script:
        "../scripts/report.py"
