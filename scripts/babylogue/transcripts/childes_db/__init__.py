"""childes-db on Redivis as a source: its rows are fetched into one file, which is then mapped to utterances.

The file of rows (parquet), one row an utterance, in no order, as childes-db has them (Sanchez et al. 2019):
    corpus, filename, speaker_code, speaker_role, type, gloss (str), transcript_id, target_child_id,
    utterance_order (int), target_child_age (float, days)
"""

import pyarrow as pa

RAW_SCHEMA = pa.schema(
    [
        ("corpus", pa.string()),
        ("transcript_id", pa.int64()),
        ("filename", pa.string()),
        ("target_child_id", pa.int64()),
        ("target_child_age", pa.float64()),
        ("utterance_order", pa.int64()),
        ("speaker_code", pa.string()),
        ("speaker_role", pa.string()),
        ("type", pa.string()),
        ("gloss", pa.string()),
    ]
)
