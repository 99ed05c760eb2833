"""Scores of one string at a time in float64, without batches, packing or masks."""

import numpy as np
import torch


def log_softmax(model, ids: list[int]) -> np.ndarray:
    """Log-probabilities [length, vocabulary] of the token after each of `ids`, in float64."""
    with torch.no_grad():
        return torch.log_softmax(model.double()(torch.tensor([ids])).logits[0], dim=-1).numpy()


def scored_tokens(tokenizer, context: str, candidate: str, bos: bool | None) -> tuple[list[int], list[int]]:
    """Ids of a string and the places of its scored tokens."""
    encoding = tokenizer(context + candidate, return_offsets_mapping=True)
    ids, offsets = encoding["input_ids"], encoding["offset_mapping"]
    begins = bool(ids) and ids[0] == tokenizer.bos_token_id
    if bos is False and begins:
        ids, offsets = ids[1:], offsets[1:]
    if bos is True and not begins:
        ids, offsets = [tokenizer.bos_token_id, *ids], [(0, 0), *offsets]
    return ids, [place for place in range(1, len(ids)) if offsets[place][1] > len(context)]


def reference(model, tokenizer, context: str, candidate: str, bos: bool | None = None) -> tuple[float, int]:
    """Sum of log-probabilities and count of one string, in float64 and without batches or masks."""
    ids, scored = scored_tokens(tokenizer, context, candidate, bos)
    if not scored:
        return 0.0, 0
    table = log_softmax(model, ids)
    return float(sum(table[place - 1, ids[place]] for place in scored)), len(scored)


def corrected_reference(
    model, tokenizer, context: str, candidate: str, bos: bool | None = None, correction: str = "boundary"
) -> float:
    """The sum with the beginning-of-word correction, word by word: each word's probability is divided by that of
    a word beginning before it, but for the first word, and multiplied by that of a word beginning after it."""
    ids, scored = scored_tokens(tokenizer, context, candidate, bos)
    if not scored:
        return 0.0
    begin = [index for token, index in tokenizer.get_vocab().items() if token[0] in "Ġ▁" or token == "*CHI:"]
    if correction == "boundary":
        begin += tokenizer.convert_tokens_to_ids(["<s>", "</s>"])
    table = log_softmax(model, ids)
    log_begin = np.log(np.exp(table[:, begin]).sum(axis=1))  # that a word begins after each token
    total = 0.0
    for place in scored:
        total += table[place - 1, ids[place]]
        if ids[place] in begin and place != scored[0]:
            total -= log_begin[place - 1]
        if place == scored[-1] or ids[place + 1] in begin:
            total += log_begin[place]
    return float(total)
