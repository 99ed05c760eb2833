"""How long the report takes to open in headless Chromium, from the call until its tables can be sorted. The peer
is the same page with scripts turned off.

    python perf/page.py results/report/index.html          # nine rounds
    python perf/page.py results/report/index.html --quick  # three

The last line is a JSON object: page_mb; ready_s, the median; scripts_cost, ready_s over the median time that the
page takes without scripts. Needs Chromium and playwright (`pip install -e '.[test]'`).
"""

import argparse
import json
import shutil
import statistics
import time
from pathlib import Path

from playwright.sync_api import sync_playwright


def opening_s(browser, address: str, scripts: bool) -> float:
    """Seconds that a new window takes to open the page."""
    with browser.new_context(java_script_enabled=scripts) as context:
        page = context.new_page()
        began = time.perf_counter()
        page.goto(address, wait_until="load")
        if scripts:
            page.wait_for_selector("html[data-ready]")
        return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    taken = {True: [], False: []}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for _ in range(3 if arguments.quick else 9):
            for scripts, seconds in taken.items():
                seconds.append(opening_s(browser, arguments.page.absolute().as_uri(), scripts))
        browser.close()
    ready, bare = (statistics.median(taken[scripts]) for scripts in (True, False))
    print(f"with scripts {ready:.2f} s ({min(taken[True]):.2f} to {max(taken[True]):.2f}), without {bare:.2f} s")
    megabytes = arguments.page.stat().st_size / 1e6
    print(
        json.dumps(
            {"page_mb": round(megabytes, 2), "ready_s": round(ready, 2), "scripts_cost": round(ready / bare, 2)}
        )
    )


if __name__ == "__main__":
    main()
