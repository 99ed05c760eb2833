"""Model cards: what a run and seed is, what it was made of, what it scores.

Needs: settings.yaml of the run, the corpus statistics, the scores of the checkpoint that the run is judged by.
Makes: models/{run}/seed{seed}/README.md, beside the checkpoints: in their folders it would make their scores stale.
"""

CARD_TEMPLATE = os.path.relpath(Path(workflow.basedir, "scripts/babylogue/report/model_card.md.jinja"))
CARDS = expand(f"{MODELS}/README.md", run=CONFIG.models, seed=CONFIG.seeds)
# Run -> the suites that it is scored on at the checkpoint that it is judged by.
JUDGED = {run: {} for run in CONFIG.models}
for run, _, checkpoint, suite in SCORES:
    if checkpoint == REPORTED_AT[run]:
        JUDGED[run][suite] = load_suite(suite).description
HUB_NAME = f"{CONFIG.hub.namespace or 'OWNER'}/babylogue-{{run}}-seed{{seed}}"


localrules:
    model_card,


def judged_scores(wildcards):
    """The scores of the checkpoint that the run is judged by."""
    folder = f"{RESULTS}/scores/{wildcards.run}/seed{wildcards.seed}/{REPORTED_AT[wildcards.run]}"
    return [f"{folder}/{suite}.json" for suite in JUDGED[wildcards.run]]


def origin(name):
    """A published model's name and where it comes from, without a path of this machine."""
    row = CONFIG.published[name]
    if row.hub:
        return {"name": name, "origin": f"https://huggingface.co/{row.hub} ({row.revision})", "hub": row.hub}
    made = row.wheel and f"in the package {row.wheel}" or row.remote and f"{row.remote.model}, behind a server"
    return {"name": name, "origin": made or "a folder of one's own"}


@cache
def ancestry(run):
    """RUN/CHECKPOINT that the run starts from, and what that starts from, to the first; a published one's name."""
    row = CONFIG.models.get(run)
    parent = getattr(row, "parent", None)
    if parent is None:
        return []
    return [f"{parent}/{row.parent_checkpoint}" if parent in CONFIG.models else parent, *ancestry(parent)]


@cache
def published_part(run):
    """Role -> what others have made and had it, name and origin, in the run or in one that this starts from."""
    row = CONFIG.models.get(run)
    if row is None:
        return {"parent": origin(run)}
    asked = reward_needs(row.reward) if run in REWARDED else set()
    sets = with_bases([row.pairs]) if getattr(row, "pairs", None) else []
    found = {"judge": CONFIG.teacher.judge} if "judge" in asked else {}
    if {"references", "teacher"} & asked or any(name in SYNTHETIC for name in sets):
        found["writer"] = CONFIG.teacher.writer
    if "embedder" in asked:
        found["embedder"] = CONFIG.teacher.embedder
    others = [getattr(row, "parent", None), row.dpo_model if "dpo_model" in asked else None]
    behind = [published_part(other) for other in others if other]
    given = {
        f"pairs {name}": {"name": row.hub, "origin": f"https://huggingface.co/datasets/{row.hub} ({row.revision})"}
        for name, row in GIVEN.items()
        if name in sets and row.hub
    }
    told = {role: origin(name) for role, name in found.items()} | given
    if "judge" in told:
        told["judge"] |= {"fit_to_judge": CONFIG.published[CONFIG.teacher.judge].fit_to_judge}
    if getattr(row, "adult_share", 0):
        told["dialogue between adults"] = {"name": "transcripts", "origin": "a folder of one's own"}
    return told | {role: model for part in behind for role, model in part.items()}


def card_params(wildcards):
    """What the card tells that no file does."""
    row = CONFIG.models[wildcards.run]
    words = row.words_at()
    return {
        "source": CONFIG.transcripts.source,
        "repository": HUB_NAME.format(**wildcards),
        "checkpoint": REPORTED_AT[wildcards.run],
        "checkpoints": {name: words.get(name) for name in row.checkpoint_names()},
        "parents": ancestry(wildcards.run),
        "published": published_part(wildcards.run),
        "descriptions": JUDGED[wildcards.run],
    }


rule model_card:
    input:
        settings=f"{MODELS}/settings.yaml",
        statistics=f"{RESULTS}/corpus/statistics.json",
        scores=judged_scores,
        template=CARD_TEMPLATE,
    output:
        report(
            f"{MODELS}/README.md",
            caption="captions/model_card.rst",
            category="Model cards",
            labels={"model": "{run}", "seed": "{seed}"},
        ),
    log:
        f"{RESULTS}/logs/model_cards/{{run}}/seed{{seed}}.log",
    params:
        code=code("model_card.py"),
        told=card_params,
    script:
        "../scripts/model_card.py"
