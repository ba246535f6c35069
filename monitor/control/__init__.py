"""Proof of control: what porwatch asks the holders of addresses to sign or to move, and how an answer is judged."""
