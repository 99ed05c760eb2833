"""Benchmarks as tables of items.

Needs: the benchmark's files from the mirror folder, or the project's own pairs and triplets.
Makes: suites/{suite}.parquet.
"""


def suite_inputs(wildcards):
    """The files of a suite: from the mirror, or of the project.

    A missing mirror file stops the run before any job, with where to get it.
    """
    suite = load_suite(wildcards.suite)
    if suite.reader is None:
        sys.exit(f"suites/{wildcards.suite}.parquet: there is none, the suite is made of other suites' scores")
    project = {
        "pairs": f"{RESULTS}/pairs/{wildcards.suite}.parquet",
        "triplets": TRIPLETS["pretrain"],
    }
    inputs = {name: [project[name]] for name in suite.needs}
    if suite.sources:
        try:
            inputs["mirror"] = [str(path) for path in suite.mirror_files(CONFIG.suites.mirror)]
        except UserError as error:
            sys.exit(f"suites.mirror: {error}")
    return inputs


def module_of_suite(wildcards):
    """The module that defines the suite; the registry itself is none of a score's code."""
    return suite_module(wildcards.suite)


def suite_code(script):
    """The fingerprint of a script that works on one suite, the other suites left out."""

    def of_suite(wildcards):
        return code(script, suite_module(wildcards.suite))

    return of_suite


def suite_settings(wildcards):
    """What a suite that is generated is generated from."""
    return settings_of(CONFIG.suites.lexical_decision) if wildcards.suite == "lexical_decision" else {}


rule suite:
    input:
        unpack(suite_inputs),
    output:
        f"{RESULTS}/suites/{{suite}}.parquet",
    log:
        f"{RESULTS}/logs/suites/{{suite}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/suites/{{suite}}.tsv"
    params:
        code=suite_code("suite.py"),
        module=module_of_suite,
        settings=suite_settings,
    script:
        "../scripts/suite.py"
