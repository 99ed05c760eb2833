"""The model card of a run and seed: Hugging Face's metadata, scores in its model index, and a text to read."""

import html
import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
import yaml
from huggingface_hub import EvalResult, ModelCard, ModelCardData
from jinja2 import Environment, PackageLoader, StrictUndefined

from ..analysis.rewarded_runs import reward_name
from .summary import Cell, cells, chance, decimals, headline, unit

TEMPLATE = "model_card.md.jinja"
TAGS = ("babylm", "childes", "child-directed-speech", "dialogue")
METHODS = {
    "dpo": "direct preference optimisation (DPO)",
    "ppo": "proximal policy optimisation (PPO)",
    "grpo": "group relative policy optimisation (GRPO)",
    "rloo": "REINFORCE with a leave-one-out baseline (RLOO)",
}


def model_card(
    settings: Mapping[str, Any],
    statistics: Mapping[str, Any],
    scores: pd.DataFrame,
    *,
    source: str,
    repository: str,
    checkpoint: str,
    checkpoints: Mapping[str, int | None],
    parents: list[str],
    published: Mapping[str, Mapping[str, Any]],
    descriptions: Mapping[str, str],
) -> str:
    """The card as Markdown with its metadata in front; names that come from files are escaped.

    The licence is left out of the metadata: it is for whoever publishes the model to choose.

    Args:
        settings: what settings.yaml beside the checkpoints says.
        statistics: counts of the corpus as corpus_statistics gives them.
        scores: columns of scores.csv; other runs, seeds and checkpoints are left out.
        source: of the transcripts: toy, local, talkbank or childes_db.
        repository: owner/name that the run has, or would have, on the Hub.
        checkpoint: the one that the run is judged by.
        checkpoints: name -> words seen, None where words are not counted.
        parents: what the run starts from, RUN/CHECKPOINT or the name of a published model, nearest first.
        published: role (writer, judge, parent ...) -> what others have made and had it: name, origin, and
            hub, the owner/name of a model on the Hub; of the judge fit_to_judge, whether its scores mean anything.
        descriptions: suite -> what it is, in a line.
    """
    own = scores[(scores["run"] == settings["run"]) & (scores["seed"] == settings["seed"])]
    rows = _rows(own, settings["run"], checkpoint)
    metadata = ModelCardData(
        language="en",
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=list(TAGS),
        base_model=(published.get("parent") or {}).get("hub"),
        model_name=repository.split("/")[-1],
        eval_results=[_result(row) for row in rows if math.isfinite(row["cell"].value)] or None,
    )
    templates = Environment(
        loader=PackageLoader("babylogue.report", ""),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters |= {"plain": plain, "yaml": _yaml}
    text = templates.get_template(TEMPLATE).render(
        settings=settings,
        own=settings["settings"],
        method=METHODS.get(settings["method"], settings["method"]),
        reward=reward_name(settings["reward"]) if settings.get("reward") else None,
        stopped=settings.get("stopped"),
        statistics=statistics,
        source=source,
        repository=repository,
        checkpoint=checkpoint,
        checkpoints=checkpoints,
        parents=parents,
        published=published,
        small_judge="judge" in published and not published["judge"]["fit_to_judge"],
        descriptions=descriptions,
        scores=[_texts(row) for row in rows],
    )
    return str(ModelCard(f"---\n{metadata.to_yaml()}\n---\n\n{text}"))


def plain(text: str) -> str:
    """A text that Markdown shows as it is, in a table too."""
    return html.escape(" ".join(str(text).split()), quote=False).replace("|", "\\|")


def _yaml(settings: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True).strip()


def _rows(scores: pd.DataFrame, run: str, checkpoint: str) -> list[dict[str, Any]]:
    """Suite, headline metric and cell of every suite that the checkpoint is scored on."""
    found: dict[str, dict[str, Cell]] = {}
    for (_, suite, group, metric), cell in cells(scores, {run: checkpoint}).items():
        if group == "all":
            found.setdefault(suite, {})[metric] = cell
    heads = {suite: headline(metrics) for suite, metrics in found.items()}
    return [{"suite": suite, "metric": metric, "cell": found[suite][metric]} for suite, metric in heads.items()]


def _result(row: Mapping[str, Any]) -> EvalResult:
    cell = row["cell"]
    known = {"ci_low": cell.low, "ci_high": cell.high, "chance": chance(row["suite"], row["metric"])}
    return EvalResult(
        task_type="text-generation",
        dataset_type=row["suite"],
        dataset_name=row["suite"],
        metric_type=row["metric"],
        metric_value=round(cell.value, 4),
        metric_args={name: round(value, 4) for name, value in known.items() if math.isfinite(value)}
        | {"items": cell.n},
    )


def _texts(row: Mapping[str, Any]) -> dict[str, str]:
    """A row of the table of scores."""
    metric, cell = row["metric"], row["cell"]
    digits, level = decimals(metric), chance(row["suite"], metric)
    sign = " %" if unit(metric) == "%" else ""

    def number(value: float) -> str:
        return f"{value:.{digits}f}" if math.isfinite(value) else "undefined"

    interval = f" [{number(cell.low)}, {number(cell.high)}]" if math.isfinite(cell.low) else ""
    return {
        "suite": row["suite"],
        "metric": metric,
        "value": number(cell.value) + interval + sign if math.isfinite(cell.value) else "undefined",
        "chance": number(level) + sign if math.isfinite(level) else "",
        "items": f"{cell.n:,}",
    }
