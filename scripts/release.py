"""Rule release: download what benchmarks are published with, laid out like a mirror folder.

snakemake --cores 1 results/releases/zorro.json
"""

import json
from pathlib import Path

from babylogue.logs import job_log, logger
from babylogue.network.settings import NetworkSettings
from babylogue.suites.ewok_release import bring_ewok
from babylogue.suites.lexical_release import bring_lexical_decision
from babylogue.suites.release_files import bring_zip, unpack
from babylogue.suites.releases import RELEASES


def main(job):
    network, folder = NetworkSettings(**job.params.network), Path(job.output.folder)
    if job.wildcards.release == "ewok":
        known = bring_ewok(folder, job.params.url, network)
    elif job.wildcards.release == "lexical_decision":
        known = bring_lexical_decision(folder)
    else:
        release = RELEASES[job.wildcards.release]
        known = bring_zip(job.params.url, Path(job.params.zip), network) | {"revision": release.revision}
        logger.info("%d files unpacked", unpack(Path(job.params.zip), release.folders, folder))
    Path(job.output.manifest).write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with job_log(snakemake.log[0], f"release {snakemake.wildcards.release}", snakemake.input):
        main(snakemake)
