"""The scorer against one string at a time in float64, and against minicons."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast
from transformers.models.auto import CONFIG_MAPPING

from babylogue.errors import UserError
from babylogue.scoring.scorer import Scorer, load_model
from babylogue.scoring.trees import Tokens, batches, common_prefix, pack

SENTENCES = [
    "the dog runs home .",
    "the dogs run home !",
    "where is the ball ?",
    "look at the little red ball .",
    "she wants more juice and a cookie .",
]
TEMPLATES = {"bos": "<s> $A", "plain": "$A", "bos_eos": "<s> $A </s>"}


def make_tokenizer(special: str = "bos", add_prefix_space: bool = True) -> PreTrainedTokenizerFast:
    """A small byte-level BPE tokenizer that adds BOS, nothing, or BOS and EOS."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<s>", "</s>", "<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES * 3, trainer)
    byte_level = processors.ByteLevel(trim_offsets=True)
    template = processors.TemplateProcessing(single=TEMPLATES[special], special_tokens=[("<s>", 0), ("</s>", 1)])
    tokenizer.post_processor = processors.Sequence([byte_level, template])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )


def make_model(kind: str = "llama", positions: int = 64):
    """A tiny model with weights large enough that predictions differ from chance."""
    torch.manual_seed(1)
    sizes = {
        "llama": dict(
            hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=48
        ),
        "gpt2": dict(n_embd=32, n_layer=2, n_head=4),
        "gpt_neox": dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48),
        "opt": dict(
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            ffn_dim=48,
            word_embed_proj_dim=32,
            dropout=0.0,
        ),
    }[kind]
    config = CONFIG_MAPPING[kind](
        vocab_size=300, max_position_embeddings=positions, bos_token_id=0, eos_token_id=1, pad_token_id=2, **sizes
    )
    model = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.3)
    return model


def reference(model, tokenizer, context: str, candidate: str, bos: bool = True) -> tuple[float, int]:
    """Sum of log-probabilities and count of one string, in float64 and without batches or masks."""
    encoding = tokenizer(context + candidate, return_offsets_mapping=True)
    ids, offsets = encoding["input_ids"], encoding["offset_mapping"]
    if not bos and ids and ids[0] == tokenizer.bos_token_id:
        ids, offsets = ids[1:], offsets[1:]
    if len(ids) < 2:
        return 0.0, 0
    with torch.no_grad():
        table = torch.log_softmax(model.double()(torch.tensor([ids])).logits[0], dim=-1)
    model.float()
    scored = [t for t in range(1, len(ids)) if offsets[t][1] > len(context)]
    return float(sum(table[t - 1, ids[t]] for t in scored)), len(scored)


MODEL = make_model()
DOUBLE = copy.deepcopy(MODEL)
TOKENIZERS = {special: make_tokenizer(special) for special in TEMPLATES}
WORDS = st.sampled_from(["the", "dog", "dogs", "runs", "ball", "look", ".", "?", "juice", "zq", "é", "*CHI:"])
PHRASES = st.lists(WORDS, min_size=1, max_size=5).map(" ".join)
ITEMS = st.lists(
    st.one_of(
        st.tuples(PHRASES, st.lists(PHRASES.map(lambda text: " " + text), min_size=1, max_size=4)),
        st.tuples(st.just(""), st.lists(PHRASES, min_size=1, max_size=3)),
    ),
    min_size=1,
    max_size=5,
)


@pytest.mark.parametrize("special", TEMPLATES)
@pytest.mark.parametrize("bos", [True, False])
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(items=ITEMS, budget=st.sampled_from([1, 40, 8192]))
def test_agrees_with_one_string_at_a_time(special, bos, items, budget):
    tokenizer = TOKENIZERS[special]
    contexts = [[context] * len(candidates) for context, candidates in items]
    candidates = [candidates for _, candidates in items]
    results = Scorer(MODEL, tokenizer, bos=bos, batch_tokens=budget).log_probabilities(contexts, candidates)
    for (context, own), scored in zip(items, results, strict=True):
        expected = [reference(DOUBLE, tokenizer, context, candidate, bos) for candidate in own]
        np.testing.assert_allclose(scored.log_probability, [value for value, _ in expected], atol=1e-4)
        assert scored.tokens.tolist() == [count for _, count in expected]


@pytest.mark.parametrize("kind", ["gpt2", "gpt_neox", "opt"])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_other_architectures(kind, attention):
    model, tokenizer = make_model(kind), TOKENIZERS["bos"]
    model.set_attn_implementation(attention)
    contexts = [["the dog"] * 3, ["where is"], ["", ""]]
    candidates = [
        [" runs home .", " run home !", " zq"],
        [" the ball ?"],
        ["look at the ball .", "look at the dog ."],
    ]
    results = Scorer(model, tokenizer).log_probabilities(contexts, candidates)
    double = copy.deepcopy(model)
    for item, scored in enumerate(results):
        expected = [reference(double, tokenizer, contexts[item][0], text)[0] for text in candidates[item]]
        np.testing.assert_allclose(scored.log_probability, expected, atol=1e-4)


def test_candidates_with_their_own_contexts():
    tokenizer = TOKENIZERS["bos"]
    contexts, candidates = [["the dog ", "the little dog "]], [["runs home .", "runs home ."]]
    (scored,) = Scorer(MODEL, tokenizer).log_probabilities(contexts, candidates)
    expected = [
        reference(DOUBLE, tokenizer, context, text)[0]
        for context, text in zip(contexts[0], candidates[0], strict=True)
    ]
    np.testing.assert_allclose(scored.log_probability, expected, atol=1e-4)


def test_a_candidate_that_begins_another_and_equal_candidates():
    tokenizer = TOKENIZERS["bos"]
    texts = ["the dog", "the dog runs", "the dog"]
    (scored,) = Scorer(MODEL, tokenizer).log_probabilities([[""] * 3], [texts])
    expected = [reference(DOUBLE, tokenizer, "", text)[0] for text in texts]
    np.testing.assert_allclose(scored.log_probability, expected, atol=1e-4)
    assert scored.log_probability[0] == scored.log_probability[2]


def test_one_token_without_bos_scores_zero_and_eos_is_not_scored():
    (scored,) = Scorer(MODEL, TOKENIZERS["plain"]).log_probabilities([["", ""]], [["the", "the dog"]])
    assert scored.log_probability[0] == 0.0
    assert scored.tokens[0] == 0
    assert scored.tokens[1] == len(TOKENIZERS["plain"]("the dog")["input_ids"]) - 1
    with_bos = Scorer(MODEL, TOKENIZERS["bos"]).log_probabilities([[""]], [["the dog"]])[0]
    with_eos = Scorer(MODEL, TOKENIZERS["bos_eos"]).log_probabilities([[""]], [["the dog"]])[0]
    np.testing.assert_allclose(with_bos.log_probability, with_eos.log_probability, atol=1e-6)
    assert with_bos.tokens == with_eos.tokens


def test_next_token():
    tokenizer = TOKENIZERS["bos_eos"]
    token = TOKENIZERS["plain"](" home")["input_ids"][0]
    (value,) = Scorer(MODEL, tokenizer).next_token_log_probabilities(["the dog runs"], [token])
    ids = TOKENIZERS["bos"]("the dog runs")["input_ids"]
    with torch.no_grad():
        expected = torch.log_softmax(MODEL(torch.tensor([ids])).logits[0, -1], dim=-1)[token]
    assert value == pytest.approx(float(expected), abs=1e-4)


def test_too_long_an_item_is_named():
    scorer = Scorer(make_model(positions=8), TOKENIZERS["bos"])
    with pytest.raises(UserError, match=r"wh_1: 1\d tokens, but the model takes at most 8"):
        scorer.log_probabilities([[""]], [["the dog runs home . the dog runs home ."]], ["wh_1"])


def test_foreign_tokenizer_is_refused():
    model = AutoModelForCausalLM.from_config(
        LlamaConfig(
            vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, num_key_value_heads=1,
            intermediate_size=8,
        )
    )  # fmt: skip
    with pytest.raises(UserError, match="do not belong together"):
        Scorer(model, TOKENIZERS["bos"]).log_probabilities([[""]], [["the dog"]])


def test_load_model_in_float32(tmp_path):
    make_model().to(torch.bfloat16).save_pretrained(tmp_path)
    TOKENIZERS["bos"].save_pretrained(tmp_path)
    model, tokenizer = load_model(tmp_path, device="cpu")
    assert model.dtype == torch.float32
    assert not model.training
    assert tokenizer("the dog")["input_ids"] == TOKENIZERS["bos"]("the dog")["input_ids"]
    with pytest.raises(UserError, match=r"no config\.json"):
        load_model(tmp_path / "absent")


def test_packing_by_hand():
    row = pack(
        [Tokens(np.array([0, 5, 6, 7]), np.array([1, 2, 3])), Tokens(np.array([0, 5, 8, 9]), np.array([2, 3]))]
    )
    assert row.ids.tolist() == [0, 5, 6, 8]
    assert row.branch.tolist() == [0, 0, 1, 2]
    assert row.positions.tolist() == [0, 1, 2, 2]
    assert row.queries.tolist() == [0, 1, 2, 1, 3]
    assert row.targets.tolist() == [5, 6, 7, 8, 9]
    assert row.owners.tolist() == [0, 0, 0, 1, 1]
    assert pack([Tokens(np.array([5]), np.array([], dtype=int))]) is None


@given(st.lists(st.integers(1, 30), min_size=1, max_size=40), st.integers(1, 100))
def test_batches_keep_to_the_budget(lengths, budget):
    seen = []
    for batch in batches(lengths, budget):
        longest = max(lengths[index] for index in batch)
        assert len(batch) == 1 or longest * len(batch) <= budget
        seen.extend(batch.tolist())
    assert sorted(seen) == list(range(len(lengths)))


def test_common_prefix():
    assert common_prefix([np.array([1, 2, 3]), np.array([1, 2])]) == 2
    assert common_prefix([np.array([1, 2]), np.array([3, 2])]) == 0
    assert common_prefix([np.array([], dtype=int), np.array([3, 2])]) == 0


def test_decisions_of_minicons(tmp_path):
    minicons = pytest.importorskip("minicons.scorer")
    tokenizer = TOKENIZERS["plain"]
    MODEL.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    random = np.random.default_rng(0)
    words = ["the", "dog", "dogs", "runs", "home", "ball", "look", "at", "juice", "cookie", "."]
    pairs = [[" ".join(random.choice(words, random.integers(2, 9))) for _ in range(2)] for _ in range(40)]
    peer = minicons.IncrementalLMScorer(str(tmp_path), "cpu")
    peer_scores = np.array([peer.sequence_score(pair, reduction=lambda x: x.sum().item()) for pair in pairs])
    own = Scorer(MODEL, tokenizer).log_probabilities([["", ""]] * len(pairs), pairs)
    own_scores = np.array([scored.log_probability for scored in own])
    np.testing.assert_allclose(own_scores, peer_scores, atol=1e-3)
    assert ((own_scores[:, 0] > own_scores[:, 1]) == (peer_scores[:, 0] > peer_scores[:, 1])).all()
