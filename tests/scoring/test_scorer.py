"""The scorer against one string at a time in float64, and against minicons."""

import copy
from itertools import pairwise
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from minicons.scorer import IncrementalLMScorer
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast

from babylogue.errors import UserError
from babylogue.scoring import scorer
from babylogue.scoring.scorer import Scorer, load_model
from babylogue.scoring.trees import ANY_WORD, Tokens, batches, common_prefix, pack, stretches
from babylogue.scoring.words import marks_words, word_beginnings
from support.reference_scores import corrected_reference, reference
from support.tiny_scorers import TOKENIZERS, make_model, make_tokenizer, project_tokenizer

MODEL = make_model()
DOUBLE = copy.deepcopy(MODEL)
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


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("bos", [None, True, False])
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(items=ITEMS, budget=st.sampled_from([1, 40, 8192]), characters=st.sampled_from([1, 50, 10_000]))
def test_agrees_with_one_string_at_a_time(kind, bos, items, budget, characters):
    tokenizer = TOKENIZERS[kind]
    contexts = [[context] * len(candidates) for context, candidates in items]
    candidates = [candidates for _, candidates in items]
    plain = Scorer(MODEL, tokenizer, bos=bos, batch_tokens=budget)
    forms = ("boundary", "minicons")
    corrected = [Scorer(MODEL, tokenizer, bos=bos, word_correction=form, batch_tokens=budget) for form in forms]
    with mock.patch.object(scorer, "CHARACTERS_AT_ONCE", characters):
        results = plain.log_probabilities(contexts, candidates)
        both = zip(*(scorer.log_probabilities(contexts, candidates) for scorer in corrected), strict=True)
    for (context, own), scored, with_words in zip(items, results, both, strict=True):
        expected = [reference(DOUBLE, tokenizer, context, candidate, bos) for candidate in own]
        sums, counts = np.array(expected).T
        np.testing.assert_allclose(scored.log_probability, sums, atol=1e-4)
        assert scored.tokens.tolist() == counts.tolist()
        np.testing.assert_allclose(scored.mean(), sums / np.maximum(counts, 1), atol=1e-4)
        for form, found in zip(forms, with_words, strict=True):
            np.testing.assert_allclose(found.log_probability, scored.log_probability, atol=1e-4)
            words = [corrected_reference(DOUBLE, tokenizer, context, candidate, bos, form) for candidate in own]
            np.testing.assert_allclose(found.word_corrected().log_probability, words, atol=1e-4)


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
    (value,) = Scorer(MODEL, tokenizer).next_token_log_probabilities(["the dog runs"], [token], ["word_1"])
    ids = TOKENIZERS["bos"]("the dog runs")["input_ids"]
    with torch.no_grad():
        expected = torch.log_softmax(MODEL(torch.tensor([ids])).logits[0, -1], dim=-1)[token]
    assert value == pytest.approx(float(expected), abs=1e-4)


def test_too_long_an_item_is_named():
    short = Scorer(make_model(positions=8), TOKENIZERS["bos"])
    with pytest.raises(UserError, match=r"item wh_1: 1\d tokens, but the model takes at most 8"):
        short.log_probabilities([[""]], [["the dog runs home . the dog runs home ."]], ["wh_1"])


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
    strings = [Tokens([0, 5, 6, 7], [1, 2, 3]), Tokens([0, 5, 8, 9], [2, 3])]
    row = pack(strings)
    assert row.ids == [0, 5, 6, 8]
    assert row.branch == [0, 0, 1, 2]
    assert row.positions == [0, 1, 2, 2]
    assert row.queries == [0, 1, 2, 1, 3]
    assert row.targets == [5, 6, 7, 8, 9]
    assert row.owners == [0, 0, 0, 1, 1]
    assert pack([Tokens([5], [])]) is None
    row = pack(strings, word_after=True)
    assert row.ids == [0, 5, 6, 7, 8, 9]
    assert row.positions == [0, 1, 2, 3, 2, 3]
    assert row.queries == [0, 1, 2, 3, 1, 4, 5]
    assert row.targets == [5, 6, 7, ANY_WORD, 8, 9, ANY_WORD]
    assert row.owners == [0, 0, 0, 0, 1, 1, 1]
    row = pack([*strings, strings[0]])
    assert row.branch == [0, 0, 1, 2]
    assert row.queries == [0, 1, 2, 1, 3, 0, 1, 2]
    assert row.owners == [0, 0, 0, 1, 1, 2, 2, 2]


@given(st.lists(st.integers(1, 30), max_size=40), st.integers(1, 100))
def test_stretches_keep_to_their_size(sizes, most):
    parts = list(stretches(sizes, most))
    assert [index for part in parts for index in range(len(sizes))[part]] == list(range(len(sizes)))
    assert all(part.stop - part.start == 1 or sum(sizes[part]) <= most for part in parts)
    assert all(sum(sizes[one.start : other.start + 1]) > most for one, other in pairwise(parts))


@given(st.lists(st.integers(1, 30), min_size=1, max_size=40), st.integers(1, 100))
def test_batches_keep_to_the_budget(lengths, budget):
    seen = []
    for batch in batches(lengths, budget):
        longest = max(lengths[index] for index in batch)
        assert len(batch) == 1 or longest * len(batch) <= budget
        seen.extend(batch.tolist())
    assert sorted(seen) == list(range(len(lengths)))


def test_common_prefix():
    assert common_prefix([[1, 2, 3], [1, 2]]) == 2
    assert common_prefix([[1, 2], [3, 2]]) == 0
    assert common_prefix([[1, 2, 3], [1, 2, 4], [1, 5, 3]]) == 1
    assert common_prefix([[], [3, 2]]) == 0


def test_strings_are_tokenised_a_stretch_at_a_time():
    tokenised = []

    def tokenizer(texts, **options):
        tokenised.append(sum(map(len, texts)))
        return TOKENIZERS["bos"](texts, **options)

    candidates = [["the dog runs home .", "the dogs run home !"]] * 20
    with mock.patch.object(scorer, "CHARACTERS_AT_ONCE", 100):
        results = Scorer(MODEL, tokenizer).log_probabilities([["", ""]] * 20, candidates)
    assert tokenised == [76] * 20 or max(tokenised) <= 100
    assert len(results) == 20


def test_beginnings_of_words():
    byte_level, sentencepiece = TOKENIZERS["bos"], TOKENIZERS["sentencepiece"]
    for tokenizer in (byte_level, sentencepiece):
        assert marks_words(tokenizer)
        begin = tokenizer.convert_ids_to_tokens(word_beginnings(tokenizer, "minicons").tolist())
        assert all(token[0] in "Ġ▁" or token == "*CHI:" for token in begin)
        assert set(tokenizer.tokenize("the ball")) & set(begin)
        ours = tokenizer.convert_ids_to_tokens(word_beginnings(tokenizer).tolist())
        assert set(ours) - set(begin) == {"<s>", "</s>"}
    assert "*CHI:" in sentencepiece.convert_ids_to_tokens(word_beginnings(sentencepiece, "minicons").tolist())
    words = Tokenizer(models.WordLevel({"the": 0, "<unk>": 1}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    unmarked = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>")
    assert not marks_words(unmarked)
    with pytest.raises(UserError, match="do not mark the beginning of a word"):
        Scorer(MODEL, unmarked, word_correction="boundary")
    with pytest.raises(UserError, match="no beginning-of-sequence token"):
        Scorer(MODEL, unmarked, bos=True)


@pytest.mark.parametrize("kind", ["bos", "plain", "bos_eos", "sentencepiece", "project"])
def test_minicons_agrees_item_by_item(kind, tmp_path):
    """Of a tokenizer that appends EOS minicons scores that token, too; there it gets one that does not.

    The first word is one whose first token is more than a space, which is not scored where it has no width.
    """
    tokenizer = project_tokenizer(tmp_path) if kind == "project" else TOKENIZERS[kind]
    model = make_model(vocabulary=len(tokenizer))
    peer = IncrementalLMScorer(model, "cpu", tokenizer=TOKENIZERS["bos"] if kind == "bos_eos" else tokenizer)
    random = np.random.default_rng(0)
    words = ["the", "dog", "dogs", "runs", "home", "ball", "look", "at", "juice", "zq", ".", "*CHI:", "*MOT:"]
    pairs = [
        [" ".join([words[random.integers(8)], *random.choice(words, random.integers(1, 8))]) for _ in range(2)]
        for _ in range(40)
    ]
    pairs += [["look at dog", "look at dogs"], ["the ball .", "the ball ?"], ["dog dog", "dog dog"]]
    found = Scorer(model, tokenizer, word_correction="minicons").log_probabilities([["", ""]] * len(pairs), pairs)
    for corrected in (False, True):
        own = [scored.word_corrected() if corrected else scored for scored in found]
        for reduction, scores in (
            (lambda x: x.sum().item(), np.array([scored.log_probability for scored in own])),
            (lambda x: x.mean().item(), np.array([scored.mean() for scored in own])),
        ):
            expected = [
                peer.sequence_score([text], reduction=reduction, bow_correction=corrected)[0]
                for pair in pairs
                for text in pair
            ]
            expected = np.array(expected).reshape(-1, 2)
            np.testing.assert_allclose(scores, expected, atol=1e-4)
            assert ((scores[:, 0] > scores[:, 1]) == (expected[:, 0] > expected[:, 1])).all()


def test_minicons_agrees_after_a_context():
    """What stands before the first scored word is left out of the correction by both."""
    tokenizer = TOKENIZERS["bos"]
    peer = IncrementalLMScorer(MODEL, "cpu", tokenizer=tokenizer)
    contexts, candidates = ["the dog", "look at the"], ["runs home .", "little balls"]
    expected = peer.conditional_score(
        contexts, candidates, reduction=lambda x: x.sum().item(), bow_correction=True
    )
    scored = Scorer(MODEL, tokenizer, word_correction="minicons").log_probabilities(
        [[context] for context in contexts], [[" " + candidate] for candidate in candidates]
    )
    sums = [own.word_corrected().log_probability[0] for own in scored]
    np.testing.assert_allclose(sums, expected, atol=1e-4)


def test_a_text_that_ends_has_ended_its_last_word():
    """Of a model that ends its texts after a reply, minicons' form takes off what the end of sequence has."""
    tokenizer = TOKENIZERS["bos"]
    ends = copy.deepcopy(MODEL)
    ends.lm_head = torch.nn.Linear(32, 300)  # with a bias for the end of sequence
    with torch.no_grad():
        ends.lm_head.weight.copy_(MODEL.lm_head.weight)
        ends.lm_head.bias.zero_()
        ends.lm_head.bias[tokenizer.eos_token_id] = 30.0
    texts = [["the dog runs home ."]]
    found = {
        form: Scorer(ends, tokenizer, word_correction=form).log_probabilities([[""]], texts)[0].word_after[0]
        for form in ("boundary", "minicons")
    }
    assert found["boundary"] == pytest.approx(0, abs=0.01)
    assert found["minicons"] < -10


def test_speaker_tags_end_a_word_however_they_are_written():
    tokenizer = make_tokenizer()
    tokenizer.add_tokens(["*MOT:"])  # which takes no space along
    tag = tokenizer.convert_tokens_to_ids("*MOT:")
    assert tag in word_beginnings(tokenizer) and tag not in word_beginnings(tokenizer, "minicons")
