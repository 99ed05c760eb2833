"""Rollouts: replies sampled from the policy in batches, each ended where its turn ends."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from transformers import PreTrainedTokenizerBase

from ..dialogue import CHILD, read_turns, speaker_tag
from ..errors import UserError
from ..tokenizer.bpe import tag_ids
from ..tokenizer.loading import encode_open
from . import objective
from .continuing import Continuation, pad_left
from .policy import Policy, action_states, log_distribution, mixed_precision, top_p_nucleus


@dataclass
class Rollout:
    """A batch of sampled replies: B rows, prompts padded on the left to P tokens, T actions at most.

    The actions of a row are exactly the tokens that the policy emitted, the one that ends the reply included;
    what follows is padding and masked. (Padovani et al. 2025 train on re-encoded or over-long replies.)
    """

    input_ids: torch.Tensor  # (B, P + T)
    attention_mask: torch.Tensor  # (B, P + T), 1 on prompt and actions
    prompt_length: int  # P
    actions: torch.Tensor  # (B, T) bool: sampled tokens, each row a run of them from column 0
    log_probs: torch.Tensor  # (B, T) log-probability of each action when it was sampled, 0 where masked
    entropies: torch.Tensor  # (B, T) entropy of the sampling distribution, nats, 0 where masked
    hidden: torch.Tensor  # (B, T, H) hidden state that each action was sampled from
    nucleus: torch.Tensor | None  # (B, T, V) bool: tokens that could be sampled; None without top-p
    replies: list[str]  # decoded without the token that ends the reply
    finished: torch.Tensor  # (B,) bool: the reply has ended with a speaker tag or the end of sequence
    end_token: (
        torch.Tensor
    )  # (B,) bool: the last action is the token that ended the sampling, no part of the reply

    @property
    def tokens(self) -> torch.Tensor:
        """The tokens in the action columns (B, T)."""
        return self.input_ids[:, self.prompt_length :]

    def select(self, rows: Sequence[int]) -> "Rollout":
        """The given rows, cut to their own longest prompt and longest reply."""
        index = torch.as_tensor(rows, device=self.input_ids.device)
        actions = self.actions[index]
        length = int(actions.sum(dim=1).max())
        attention_mask = self.attention_mask[index]
        padding = int(attention_mask.argmax(dim=1).min())
        columns = slice(padding, self.prompt_length + length)
        return Rollout(
            input_ids=self.input_ids[index][:, columns],
            attention_mask=attention_mask[:, columns],
            prompt_length=self.prompt_length - padding,
            actions=actions[:, :length],
            log_probs=self.log_probs[index][:, :length],
            entropies=self.entropies[index][:, :length],
            hidden=self.hidden[index][:, :length],
            nucleus=None if self.nucleus is None else self.nucleus[index][:, :length],
            replies=[self.replies[row] for row in index.tolist()],
            finished=self.finished[index],
            end_token=self.end_token[index],
        )


def stop_tokens(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Ids of the tokens that end a reply, ascending: every speaker tag, and the end of sequence."""
    stops = set(tag_ids(tokenizer))
    if tokenizer.eos_token_id is not None:
        stops.add(tokenizer.eos_token_id)
    return sorted(stops)


def encode_prompts(
    tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str], max_tokens: int, *, bare: bool = False
) -> list[list[int]]:
    """Token ids of each prompt, with the tokenizer's beginning of sequence, and unless `bare` the child's tag.

    Raises `UserError` if the tag is not a token of its own, or if a prompt is longer than `max_tokens`.
    """
    tag = speaker_tag(CHILD)
    tag_id = tokenizer.get_vocab().get(tag)
    encoded = encode_open(tokenizer, [prompt if bare else f"{prompt} {tag}" for prompt in prompts])
    for prompt, ids in zip(prompts, encoded, strict=True):
        if not bare and ids[-1:] != [tag_id]:
            raise UserError(f"the tokenizer has no single token {tag}: add the speaker tags to it before PPO")
        if len(ids) > max_tokens:
            raise UserError(
                f"prompt {prompt!r} has {len(ids)} tokens, and the model's context leaves {max_tokens}: "
                "drop it, or lower max_new_tokens"
            )
    return encoded


def draw(probabilities: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """One index (B, 1) from each row of probabilities (B, V), by inverting the cumulative distribution.

    One random number a row, where torch.multinomial takes one a token: a third of the sampling time on a CPU.
    """
    cumulative = probabilities.double().cumsum(dim=-1)
    uniform = torch.rand(len(cumulative), 1, dtype=torch.double, device=cumulative.device, generator=generator)
    # Above 0 and at most the total, so that no token of probability 0 is met, at either end.
    return torch.searchsorted(cumulative, (1 - uniform) * cumulative[:, -1:])


@torch.no_grad()
def sample(
    policy: Policy,
    tokenizer: PreTrainedTokenizerBase,
    encoded: Sequence[Sequence[int]],
    *,
    stops: Sequence[int],
    max_new_tokens: int,
    temperature: float,
    top_p: float,
    generator: torch.Generator,
) -> Rollout:
    """Sample one reply to each of the B prompts in `encoded` (from `encode_prompts`).

    `stops` are the ids of `stop_tokens`, or none, and nothing ends a reply. `generator` is on the policy's device;
    in the same state it gives the same rollout. Where the model does not allow for padding (`Policy.way`), prompts
    of one length are sampled together, lengths in ascending order.
    """
    settings = {
        "stops": stops,
        "max_new_tokens": max_new_tokens,
        "temperature": temperature,
        "top_p": top_p,
        "generator": generator,
    }
    if policy.way.padding:
        return _sample_together(policy, tokenizer, encoded, **settings)
    by_length: dict[int, list[int]] = {}
    for index, ids in enumerate(encoded):
        by_length.setdefault(len(ids), []).append(index)
    groups = [by_length[length] for length in sorted(by_length)]
    parts = [
        _sample_together(policy, tokenizer, [encoded[index] for index in group], **settings) for group in groups
    ]
    return joined(parts, [index for group in groups for index in group])


def _sample_together(
    policy: Policy,
    tokenizer: PreTrainedTokenizerBase,
    encoded: Sequence[Sequence[int]],
    *,
    stops: Sequence[int],
    max_new_tokens: int,
    temperature: float,
    top_p: float,
    generator: torch.Generator,
) -> Rollout:
    """`sample` in one batch."""
    model = policy.language_model
    prompt_ids, attention_mask = pad_left(encoded, policy.device)
    rows, prompt_length = prompt_ids.shape
    stop_ids = torch.tensor(stops, dtype=torch.long, device=policy.device)
    active = torch.ones(rows, dtype=torch.bool, device=policy.device)
    columns: dict[str, list[torch.Tensor]] = {
        name: [] for name in ("tokens", "actions", "log_probs", "entropies", "hidden", "nucleus")
    }
    continuation, token, reading = Continuation(model, policy.way), None, active
    for _ in range(max_new_tokens):
        with mixed_precision(policy.device):
            if token is None:
                hidden = continuation.read(prompt_ids, attention_mask)
            else:
                hidden = continuation.go_on(token, reading)
        hidden = hidden.to(model.dtype)  # (B, H)
        log_p = log_distribution(model, hidden, temperature)  # (B, V)
        if top_p < 1:
            nucleus = top_p_nucleus(log_p, top_p)
            log_p = log_distribution(model, hidden, temperature, nucleus)
            columns["nucleus"].append(nucleus)
        probabilities = log_p.exp()
        token = draw(probabilities, generator)  # (B, 1)
        entropy = -torch.where(probabilities > 0, probabilities * log_p, 0).sum(dim=-1)
        columns["tokens"].append(torch.where(active, token[:, 0], 0))
        columns["actions"].append(active)
        columns["log_probs"].append(torch.where(active, log_p.gather(1, token)[:, 0], 0))
        columns["entropies"].append(torch.where(active, entropy, 0))
        columns["hidden"].append(hidden)
        attention_mask = torch.cat([attention_mask, active[:, None].long()], dim=1)
        reading, active = active, active & ~torch.isin(token[:, 0], stop_ids)
        if not active.any():
            break

    stacked = {name: torch.stack(column, dim=1) for name, column in columns.items() if column}
    tokens, actions = stacked["tokens"], stacked["actions"]
    replies = []
    for ids, length, ended in zip(tokens.tolist(), actions.sum(dim=1).tolist(), (~active).tolist(), strict=True):
        replies.append(tokenizer.decode(ids[: length - ended], skip_special_tokens=True).strip())
    return Rollout(
        input_ids=torch.cat([prompt_ids, tokens], dim=1),
        attention_mask=attention_mask,
        prompt_length=prompt_length,
        actions=actions,
        log_probs=stacked["log_probs"],
        entropies=stacked["entropies"],
        hidden=stacked["hidden"],
        nucleus=stacked.get("nucleus"),
        replies=replies,
        finished=~active,
        end_token=~active,
    )


def joined(parts: Sequence[Rollout], rows: Sequence[int]) -> Rollout:
    """The rows of several rollouts as one, each row of them at its place in `rows`."""
    prompt = max(part.prompt_length for part in parts)
    order = torch.tensor(rows, device=parts[0].input_ids.device).argsort()

    def joined_columns(tensors: Sequence[torch.Tensor], side: str) -> torch.Tensor:
        """Tensors (b, columns, ...) as one (B, most columns, ...), zeros on one side of the shorter."""
        width = max(tensor.shape[1] for tensor in tensors)
        whole = []
        for tensor in tensors:
            zeros = tensor.new_zeros(len(tensor), width - tensor.shape[1], *tensor.shape[2:])
            whole.append(torch.cat([zeros, tensor] if side == "left" else [tensor, zeros], dim=1))
        return torch.cat(whole)[order]

    def whole_rows(name: str) -> torch.Tensor:
        """Prompts and actions side by side, from the columns of `name` (b, p + t)."""
        prompts = [getattr(part, name)[:, : part.prompt_length] for part in parts]
        actions = [getattr(part, name)[:, part.prompt_length :] for part in parts]
        return torch.cat([joined_columns(prompts, "left"), joined_columns(actions, "right")], dim=1)

    replies = [reply for part in parts for reply in part.replies]
    return Rollout(
        input_ids=whole_rows("input_ids"),
        attention_mask=whole_rows("attention_mask"),
        prompt_length=prompt,
        **{
            name: joined_columns([getattr(part, name) for part in parts], "right")
            for name in ("actions", "log_probs", "entropies", "hidden")
        },
        nucleus=None if parts[0].nucleus is None else joined_columns([part.nucleus for part in parts], "right"),
        replies=[replies[index] for index in order.tolist()],
        finished=torch.cat([part.finished for part in parts])[order],
        end_token=torch.cat([part.end_token for part in parts])[order],
    )


def as_published(tokenizer: PreTrainedTokenizerBase, rollout: Rollout) -> Rollout:
    """What was sampled after bare prompts, its replies the child's first turns without their tag, empty if none.

    A turn ends with the next tag or the end of sequence. All have ended, since they always have so many tokens;
    none has an end token, since nothing ends the sampling.
    """
    turns = []
    for tokens, length in zip(rollout.tokens.tolist(), rollout.actions.sum(dim=1).tolist(), strict=True):
        texts: list[list[int]] = [[]]
        for token in tokens[:length]:
            if token in (tokenizer.bos_token_id, tokenizer.eos_token_id):
                texts.append([])
            else:
                texts[-1].append(token)
        said = (turn for text in texts for turn in read_turns(tokenizer.decode(text)))
        turns.append(next((turn for speaker, turn in said if speaker == CHILD), ""))
    return replace(rollout, replies=turns, finished=torch.ones_like(rollout.finished))


@torch.no_grad()
def observe(
    policy: Policy,
    tokenizer: PreTrainedTokenizerBase,
    encoded: Sequence[Sequence[int]],
    sampled: Sequence[Sequence[int]],
    *,
    stops: Sequence[int],
    temperature: float,
) -> Rollout:
    """The rollout of B replies that something else sampled, as the policy sees them now.

    `sampled` are a reply's tokens, the one that ends it included. Log-probabilities and entropies are of the whole
    distribution.
    """
    prompt_ids, prompt_mask = pad_left(encoded, policy.device)
    lengths = torch.tensor([len(ids) for ids in sampled], device=policy.device)
    width = int(lengths.max())
    tokens = torch.tensor([[*ids, *[0] * (width - len(ids))] for ids in sampled], device=policy.device)  # (B, T)
    actions = torch.arange(width, device=policy.device) < lengths[:, None]
    input_ids = torch.cat([prompt_ids, tokens], dim=1)
    attention_mask = torch.cat([prompt_mask, actions.long()], dim=1)
    hidden = action_states(policy.language_model, input_ids, attention_mask, width)
    log_p = log_distribution(policy.language_model, hidden[actions], temperature)  # (n, V)
    zeros = torch.zeros(tokens.shape, dtype=log_p.dtype, device=policy.device)
    finished = torch.tensor([ids[-1] in stops for ids in sampled], device=policy.device)
    said = [ids[: len(ids) - ended] for ids, ended in zip(sampled, finished.tolist(), strict=True)]
    return Rollout(
        input_ids=input_ids,
        attention_mask=attention_mask,
        prompt_length=prompt_ids.shape[1],
        actions=actions,
        log_probs=zeros.masked_scatter(actions, log_p.gather(1, tokens[actions][:, None])[:, 0]),
        entropies=zeros.masked_scatter(actions, objective.entropy(log_p)),
        hidden=hidden,
        nucleus=None,
        replies=[tokenizer.decode(ids, skip_special_tokens=True).strip() for ids in said],
        finished=finished,
        end_token=finished,
    )
