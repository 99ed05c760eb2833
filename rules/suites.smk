"""Benchmarks as tables of items.

Needs: the benchmark's files from the mirror folder or its home, or the project's own pairs and triplets.
Makes: suites/{suite}.parquet, and {suite}.json, what it was read from; releases/{release}/, what was downloaded.
"""

from snakemake.logging import logger

from babylogue.suites.availability import Absent, locate, missing
from babylogue.suites.releases import RELEASES, address

DOWNLOADS = f"{RESULTS}/releases"
# Suites that are asked for and cannot be had: left out of the targets and listed in the report by name.
BENCHMARKS = sorted({suite for *_, suite in CONFIG.scores()} - set(PAIR_SUITES))
MISSING = missing(BENCHMARKS, CONFIG.suites, DOWNLOADS, os.environ)
if workflow.is_main_process:
    for absent in MISSING.values():
        logger.warning(f"suite {absent.suite} is left out: {absent.reason}; get it from {absent.home}")


localrules:
    release,
    suite,


@cache
def place(suite):
    """Where the files of a suite are or will be; the run stops, before any job, where they cannot be had."""
    try:
        return locate(load_suite(suite), CONFIG.suites, DOWNLOADS, os.environ)
    except Absent as error:
        sys.exit(f"suites.mirror: {error}")


def suite_inputs(wildcards):
    """The files of a suite: from the mirror, the folder of their release, or of the project."""
    suite = load_suite(wildcards.suite)
    if suite.reader is None:
        sys.exit(f"suites/{wildcards.suite}.parquet: there is none, the suite is made of other suites' scores")
    project = {
        "pairs": f"{RESULTS}/pairs/{wildcards.suite}.parquet",
        "triplets": TRIPLETS["pretrain"],
    }
    inputs = {name: [project[name]] for name in suite.needs}
    if suite.sources:
        own = place(wildcards.suite)
        files = [own.folder] if own.release else [str(path) for path in suite.mirror_files(own.folder)]
        inputs["mirror"] = files
    return inputs


def suite_place(wildcards):
    """The folder that a suite's file patterns are relative to, and the release that it belongs to, if any."""
    if not load_suite(wildcards.suite).sources:
        return {}
    own = place(wildcards.suite)
    release = RELEASES.get(own.release)
    return {
        "folder": own.folder,
        "release": own.release,
        "revision": release.revision if release else None,
        "url": address(own.release, CONFIG.suites.urls) if release else None,
    }


def mirror_state(wildcards):
    """The state of a suite's files in the mirror; those of a release are in the results."""
    suite = load_suite(wildcards.suite)
    if not suite.sources or place(wildcards.suite).release:
        return None
    folder = place(wildcards.suite).folder
    return state_of(suite.mirror_files(folder), folder)


def release_url(wildcards):
    """What is asked without a login: a release's zip, or the vocabulary that EWoK is filtered with."""
    names = {"ewok": "ewok_vocabulary"}
    return address(names.get(wildcards.release, wildcards.release), CONFIG.suites.urls)


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


rule release:
    output:
        folder=directory(f"{DOWNLOADS}/{{release}}"),
        manifest=f"{DOWNLOADS}/{{release}}.json",
    log:
        f"{RESULTS}/logs/releases/{{release}}.log",
    wildcard_constraints:
        release=one_of(RELEASES),
    priority: 1  # so that a home that does not answer is known early
    params:
        code=code("release.py"),
        url=release_url,
        network=settings_of(CONFIG.suites.network),
        # No output, so that what has come survives a failure.
        zip=f"{DOWNLOADS}/zips/{{release}}.zip",
    script:
        "../scripts/release.py"


rule suite:
    input:
        unpack(suite_inputs),
    output:
        table=f"{RESULTS}/suites/{{suite}}.parquet",
        origin=f"{RESULTS}/suites/{{suite}}.json",
    log:
        f"{RESULTS}/logs/suites/{{suite}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/suites/{{suite}}.tsv"
    params:
        code=suite_code("suite.py"),
        module=module_of_suite,
        settings=suite_settings,
        place=suite_place,
        state=mirror_state,
    script:
        "../scripts/suite.py"
