"""A Hugging Face Hub that does not answer: its client would wait for ever."""

TIMEOUT_S = 60.0
"""Longest wait for a connection, and for the next piece of an answer."""


def bound_hub() -> None:
    """Let every request of huggingface_hub, and of what uses it, end with an error where nothing comes in time."""
    from huggingface_hub import set_client_factory  # slow to load; the configuration imports those who use this
    from huggingface_hub.utils._http import default_client_factory

    def client():
        bounded = default_client_factory()
        bounded.timeout = TIMEOUT_S
        return bounded

    set_client_factory(client)
