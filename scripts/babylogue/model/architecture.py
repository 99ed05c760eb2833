"""A Llama from settings."""

from transformers import LlamaConfig, LlamaForCausalLM

from .settings import ArchitectureSettings


def build_model(settings: ArchitectureSettings, tokenizer) -> LlamaForCausalLM:
    """A randomly initialised Llama for the tokenizer; the caller seeds torch."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=settings.hidden_size,
            intermediate_size=settings.intermediate_size,
            num_hidden_layers=settings.layers,
            num_attention_heads=settings.heads,
            num_key_value_heads=settings.heads,
            max_position_embeddings=settings.context_tokens,
            tie_word_embeddings=settings.tie_embeddings,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
