"""A suite by the module that defines it: what a job loads, which so depends on no other suite."""

from importlib import import_module


def defined_in(module: str, name: str):
    """The `Suite` of that name in a module; that of dialogue pairs makes one of any name."""
    suites = import_module(module)
    return suites.SUITES[name] if name in suites.SUITES else suites.pair_suite(name)
