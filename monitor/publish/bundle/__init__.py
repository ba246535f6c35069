"""A report with its evidence: gathered, built, written, approved, and verified by a stranger.

A bundle is a folder::

    manifest.json, manifest.sig            what is in it, signed; manifest.sig.tsr where an authority stamps
    report.json, ja/…, en/…                the report object and its printed forms
    evidence/close/…                       what the monitor captured at the close, as it was
    evidence/period.jsonl, earlier.jsonl   records of the journal
    evidence/journal.json                  the signed tree head over them, with proofs
    evidence/answers.json                  what a person chose: who prepared it, the preset, the period …
    evidence/documents.json, attachments/… what a person handed in, where there is any; customers.csv
    evidence/draft/…                       manifest and signature of the draft that was approved

``build`` is a function of ``evidence`` alone; ``report`` and ``verify`` both run it, and
report.json holds nothing else.
"""
