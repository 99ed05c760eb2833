"""The tables, each as CSV and as parquet, and the page.

Needs: every score that the configuration asks for, what analysis.smk and replies.smk make, the logs of the models,
the corpus statistics.
Makes: report/scores.csv, models.csv, sources.csv, missing.csv, stages.csv, {table}.parquet beside every {table}.csv,
index.html; report/figures/, every figure of the page as {name}.svg and its data as {name}.csv.
"""

from dataclasses import asdict

from babylogue.report.ending import ending, stopped
from babylogue.report.paper_models import paper_models

SCORES = [score for score in CONFIG.scores() if score[-1] not in MISSING]
if not SCORES:
    sys.exit(f"evaluate: none of its suites can be had: {', '.join(MISSING)}")
SCORE_FILES = [
    f"{RESULTS}/scores/{run}/seed{seed}/{checkpoint}/{suite}.json" for run, seed, checkpoint, suite in SCORES
]
REPORTED = sorted({suite for *_, suite in SCORES})
# Relative, so that a project that is moved as a whole is up to date.
PAGE = Path(workflow.basedir, "scripts/babylogue/report")
TEMPLATES = sorted(map(os.path.relpath, PAGE.joinpath("templates").rglob("[a-z]*.*")))
REPORTED_AT = CONFIG.reported()
REPLIES = CONFIG.report.replies if CONFIG.report.quotes else None
TABLES = [
    "scores",
    "models",
    "sources",
    "missing",
    "comparisons",
    "baselines",
    "pair_cards",
    "rewarded_runs",
    "reward_correlations",
    "trajectories",
    "trajectory_fits",
    "stages",
    *(["replies"] if REPLIES else []),
]
REPORT = [
    f"{RESULTS}/report/index.html",
    *expand(f"{RESULTS}/report/{{table}}.{{form}}", table=TABLES, form=["csv", "parquet"]),
]
# The first tuned model in the order of `CONFIG.models`, which files laid over others do not change; without any, a
# pre-trained one.
TALK_TO = [*(run for run, row in CONFIG.models.items() if row.method != "pretrain"), *CONFIG.models][0]
SHOWN = {"method", "parent", "parent_checkpoint", "text", "pairs", "reward"}


report: "captions/workflow.rst"


localrules:
    scores_table,
    suite_sources,
    table_parquet,
    report,


def shown_models():
    """The rows of the table of models for the page, with the model of the paper that each is, if any."""
    followed = {run: paper._asdict() for run, paper in paper_models(CONFIG).items()}
    return [
        {"run": run, "checkpoint": REPORTED_AT[run], "paper": followed.get(run), **row.model_dump(include=SHOWN)}
        for run, row in CONFIG.models.items()
    ]


def say_what_was_made():
    """The end of a run that the page was a target of, by its name or as part of everything."""
    rules = {rule.name for rule in workflow.dag.targetrules}
    if rules & {"all", "report"} or f"{RESULTS}/report/index.html" in workflow.dag.targetfiles:
        print(ending(RESULTS, list(CONFIG.models), CONFIG.seeds, talk_to=TALK_TO))


def model_row(run, row):
    """A row of models.csv."""
    parent = getattr(row, "parent", None)
    return {
        "run": run,
        "method": row.method,
        "parent": parent,
        "parent_checkpoint": row.parent_checkpoint if parent in CONFIG.models else None,
        "checkpoint": REPORTED_AT[run],
    }


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
        scores=shown("scores"),
        models=shown("models"),
    log:
        f"{RESULTS}/logs/scores_table.log",
    params:
        code=code("scores_table.py"),
        models=[model_row(run, row) for run, row in CONFIG.models.items()],
    script:
        "../scripts/scores_table.py"


rule suite_sources:
    input:
        origin_files,
    output:
        sources=shown("sources"),
        missing=shown("missing"),
    log:
        f"{RESULTS}/logs/suite_sources.log",
    params:
        code=code("suite_sources.py"),
        missing=[asdict(suite) for suite in MISSING.values()],
    script:
        "../scripts/suite_sources.py"


rule table_parquet:
    input:
        f"{RESULTS}/report/{{table}}.csv",
    output:
        f"{RESULTS}/report/{{table}}.parquet",
    log:
        f"{RESULTS}/logs/table_parquet/{{table}}.log",
    wildcard_constraints:
        table=one_of(TABLES),
    params:
        code=code("table_parquet.py"),
    script:
        "../scripts/table_parquet.py"


rule report:
    input:
        pair_cards=f"{RESULTS}/report/pair_cards.csv",
        sources=f"{RESULTS}/report/sources.csv",
        missing=f"{RESULTS}/report/missing.csv",
        page_items=f"{RESULTS}/report/items.json",
        scores=f"{RESULTS}/report/scores.csv",
        comparisons=f"{RESULTS}/report/comparisons.csv",
        baselines=f"{RESULTS}/report/baselines.csv",
        trajectories=f"{RESULTS}/report/trajectories.csv",
        fits=f"{RESULTS}/report/trajectory_fits.csv",
        rewarded_runs=f"{RESULTS}/report/rewarded_runs.csv",
        correlations=f"{RESULTS}/report/reward_correlations.csv",
        replies=f"{RESULTS}/report/replies.csv" if REPLIES else [],
        statistics=f"{RESULTS}/corpus/statistics.json",
        logs=[model_file(run, "log.csv").format(seed=seed) for run in CONFIG.models for seed in CONFIG.seeds],
        settings=[model_file(run, "settings.yaml").format(seed=CONFIG.seeds[0]) for run in CONFIG.models],
        templates=TEMPLATES,
        published=[os.path.relpath(PAGE / name) for name in ("published_scores.csv", "published_trajectory.csv")],
    output:
        page=report(
            f"{RESULTS}/report/index.html",
            caption="captions/page.rst",
            category="Report",
            labels={"page": "the report"},
        ),
        stages=shown("stages"),
        figures=report(
            directory(f"{RESULTS}/report/figures"),
            patterns=["{figure}.svg"],
            caption="captions/figures.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
    log:
        f"{RESULTS}/logs/report.log",
    params:
        code=code("report.py"),
        benchmarks=f"{RESULTS}/benchmarks",
        models=shown_models(),
        suites=suite_descriptions,
        seeds=CONFIG.seeds,
        source=CONFIG.transcripts.source,
        pair_suites={
            suite: pair_suites.paper_suite(PAIR_SUITES[suite]) for suite in REPORTED if suite in PAIR_SUITES
        },
        quotes=CONFIG.report.quotes,
        sampling=REPLIES and settings_of(REPLIES),
        judge=(
            CONFIG.teacher.judge
            if any("judge" in reward_needs(row.reward) for row in REWARDED.values())
            else None
        ),
        judge_fits=CONFIG.published[CONFIG.teacher.judge].fit_to_judge,
    script:
        "../scripts/report.py"
