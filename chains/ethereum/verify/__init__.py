"""What a node says, held against what the block's hash commits to. Pure: nothing is asked here.

A header's hash commits to the roots of its transactions, receipts, withdrawals and state; each module
here re-computes one of them from the JSON of a node's answer. What cannot be true is a BadAnswer that
names both sides. What this version cannot encode, such as a transaction of a type that is new, is
returned as unverifiable: the caller must say so and never count it as verified.
"""
