"""Checkpoints of a finished run in other programs: transformers, minicons and the BabyLM 2025 pipeline.

What they find of a suite's items is what the workflow wrote beside its score.
"""

import numpy as np
import pandas as pd
import pytest
import torch
from minicons.scorer import IncrementalLMScorer
from transformers import AutoModel, AutoModelForCausalLM, AutoProcessor, AutoTokenizer, pipeline

ITEMS = 12


@pytest.fixture(scope="module", params=["base/seed0/final", "dpo_natural/seed0/best"])
def checkpoint(small, request):
    """Folder of a checkpoint, and items of a suite with their scores, candidates side by side."""
    results = small.folder / "results"
    items = pd.read_parquet(results / "suites/toy_grammar.parquet").head(ITEMS)
    scores = pd.read_parquet(results / f"scores/{request.param}/toy_grammar.parquet").head(ITEMS)
    assert items["item"].tolist() == scores["item"].tolist()
    assert not any("".join(contexts) for contexts in items["contexts"])
    return results / "models" / request.param, items["candidates"].tolist(), np.stack(scores["scores"])


def test_minicons(checkpoint):
    folder, candidates, scores = checkpoint
    peer = IncrementalLMScorer(str(folder), "cpu")
    found = [peer.sequence_score(list(own), reduction=lambda x: x.sum().item()) for own in candidates]
    np.testing.assert_allclose(found, scores, atol=1e-4)


def test_transformers(checkpoint):
    folder, *_ = checkpoint
    model, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    encoded = tokenizer(["*MOT: look at the dog ."], return_tensors="pt")
    (hidden,) = model(**encoded).last_hidden_state
    assert hidden.shape == (encoded["input_ids"].shape[1], model.config.hidden_size)
    write = pipeline("text-generation", model=str(folder))
    prompt = "*MOT: look at the dog .\n*CHI:"
    (answer,) = write(prompt, max_new_tokens=4, do_sample=False)
    assert answer["generated_text"].startswith(prompt)
    assert len(answer["generated_text"]) > len(prompt)


def pipeline_scores(model, processor, sentence: str) -> float:
    """The BabyLM 2025 pipeline's log-probability of a sentence: `sentence_zero_shot`, of a whole sentence."""
    encoded = processor(text=sentence, return_offsets_mapping=True)
    tokens, offsets = encoded["input_ids"], encoded["offset_mapping"]
    if len(tokens) == 1 and sentence:  # its unpacking of processors that answer with batches
        tokens, offsets = tokens[0], offsets[0]
    scored = torch.tensor([float(end > offsets[0][0]) for _, end in offsets[1:]])
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([tokens]), attention_mask=torch.ones(1, len(tokens)))["logits"]
    predicted = torch.log_softmax(logits[0, :-1], dim=-1).gather(-1, torch.tensor(tokens)[1:, None])[:, 0]
    return float((predicted * scored).sum())


def test_babylm_pipeline(checkpoint):
    folder, candidates, scores = checkpoint
    options = {"revision": None, "trust_remote_code": True}  # None is what it asks for without --revision_name
    model = AutoModelForCausalLM.from_pretrained(str(folder), **options).eval()
    processor = AutoProcessor.from_pretrained(str(folder), padding_side="right", **options)
    assert not hasattr(processor, "tokenizer") and processor.pad_token_id is not None
    found = [[pipeline_scores(model, processor, sentence) for sentence in own] for own in candidates]
    np.testing.assert_allclose(found, scores, atol=1e-4)
