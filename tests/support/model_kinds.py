"""Small models with random weights, one of each kind of causal model that transformers offers."""

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.models.auto import CONFIG_MAPPING

VOCABULARY = 64
WINDOW = 8  # tokens that windows of attention reach back
# Settings by the names that they have in one configuration or another; a kind takes those that it has.
SMALL = {
    "vocab_size": VOCABULARY,
    **dict.fromkeys(("hidden_size", "d_model", "n_embd", "embedding_size", "word_embed_proj_dim"), 32),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers", "decoder_layers"), 2),
    "encoder_layers": 1,
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "decoder_attention_heads"), 4),
    "num_key_value_heads": 2,
    **dict.fromkeys(("intermediate_size", "ffn_dim", "decoder_ffn_dim", "ffn_hidden_size", "n_inner", "dff"), 48),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "max_seq_len"), 128),
    **dict.fromkeys(("max_target_positions", "max_source_positions"), 128),
    **dict.fromkeys(("head_dim", "rotary_dim"), 8),
    **dict.fromkeys(("sliding_window", "attention_window_size", "window_size", "local_attention"), WINDOW),
    "attention_chunk_size": WINDOW,
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts"), 4),
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 16,
    "dropout": 0.0,
    "is_decoder": True,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
# What some kinds need beside or in place of these; None: the kind has no such setting.
OWN = {
    "falcon": {"head_dim": None},
    "falcon-alibi": {"head_dim": None, "alibi": True},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "attention_layers": ["global", "local"]},
    "mamba2": {"num_heads": 8, "head_dim": 8, "n_groups": 2, "chunk_size": 4},
    "phi3-longrope": {
        "original_max_position_embeddings": 16,
        "rope_parameters": {
            "rope_type": "longrope", "rope_theta": 10_000.0, "short_factor": [1.0] * 4, "long_factor": [2.0] * 4,
            "original_max_position_embeddings": 16, "partial_rotary_factor": 1.0,
        },
    },
    "qwen2-window": {"use_sliding_window": True, "max_window_layers": 1},
}  # fmt: skip
KINDS = [
    "afmoe", "apertus", "arcee", "bart", "bert", "bert-generation", "biogpt", "bitnet", "blenderbot",
    "bloom", "camembert", "codegen", "cohere", "cohere2", "cpmant", "ctrl", "cwm", "data2vec-text",
    "diffllama", "doge", "electra", "ernie4_5", "exaone4", "falcon", "falcon-alibi", "falcon_mamba",
    "flex_olmo", "gemma", "gemma2", "gemma3_text", "glm", "glm4", "gpt2", "gpt_bigcode", "gpt_neo",
    "gpt_neox", "gpt_neox_japanese", "gpt_oss", "gptj", "granite", "granitemoe", "helium",
    "hunyuan_v1_dense", "jamba", "jetmoe", "lfm2", "llama", "mamba", "mamba2", "marian", "mbart",
    "megatron-bert", "ministral", "mistral", "mixtral", "modernbert-decoder", "mpt", "nanochat",
    "nemotron", "olmo", "olmo2", "olmo3", "olmoe", "openai-gpt", "opt", "persimmon", "phi", "phi3",
    "phi3-longrope", "phimoe", "qwen2", "qwen2-window", "qwen2_moe", "qwen3", "qwen3_moe", "qwen3_next",
    "recurrent_gemma", "rembert", "roberta", "roformer", "rwkv", "seed_oss", "smollm3", "stablelm",
    "starcoder2", "trocr", "vaultgemma", "xglm", "xlm", "xlm-roberta", "xlstm",
]  # fmt: skip
# A name may go on with a hyphen and what is special. Older releases of transformers have fewer kinds.
KINDS = [kind for kind in KINDS if kind in CONFIG_MAPPING or kind.split("-")[0] in CONFIG_MAPPING]


def small_model(kind: str) -> PreTrainedModel:
    """A model of a kind of KINDS in evaluation mode, always the same, whose predictions are far from chance."""
    configuration = CONFIG_MAPPING[kind if kind in CONFIG_MAPPING else kind.split("-")[0]]
    known = configuration()
    settings = {name: value for name, value in SMALL.items() if hasattr(known, name)} | OWN.get(kind, {})
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(
        configuration(**{name: value for name, value in settings.items() if value is not None}),
        dtype=torch.float32,
    ).eval()
    with torch.no_grad():
        for weights in model.parameters():
            if weights.dim() > 1:
                weights.mul_(3)
    return model
