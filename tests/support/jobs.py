"""What Snakemake hands a script, made by hand."""


class Named(dict):
    """As Snakemake hands over what a rule names."""

    __getattr__ = dict.__getitem__
