"""Paper: a resident's refund statement and the letter of a decision, as PDF."""
