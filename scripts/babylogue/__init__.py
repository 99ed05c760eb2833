"""Babylogue: language models of child-caregiver dialogue, from CHILDES transcripts to a page of figures."""
