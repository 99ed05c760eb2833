"""Publishing a run on the Hugging Face Hub. No other rule needs it, so it runs only when asked for by name.

Needs: every checkpoint of the run, its card; HF_TOKEN.
Makes: pushed/{run}/seed{seed}.json, branch -> commit; {namespace}/babylogue-{run}-seed{seed} on the Hub.
"""


localrules:
    push,


def run_checkpoints(wildcards):
    """Every checkpoint of the run; without a namespace the run stops before any job."""
    if not CONFIG.hub.namespace:
        sys.exit("hub.namespace: not set; name the user or organisation that the repository belongs to")
    names = CONFIG.models[wildcards.run].checkpoint_names()
    return {name: f"{MODELS}/{name}".format(**wildcards) for name in names}


def judged_checkpoint(wildcards):
    """The checkpoint that the scores of the card are of."""
    return REPORTED_AT[wildcards.run]


rule push:
    input:
        unpack(run_checkpoints),
        card=f"{MODELS}/README.md",
    output:
        f"{RESULTS}/pushed/{{run}}/seed{{seed}}.json",
    log:
        f"{RESULTS}/logs/pushed/{{run}}/seed{{seed}}.log",
    params:
        code=code("push.py"),
        settings=settings_of(CONFIG.hub),
        repository=HUB_NAME,
        judged=judged_checkpoint,
    script:
        "../scripts/push.py"
