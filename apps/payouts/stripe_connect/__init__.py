"""Payments through Stripe Connect: the approved manifest, what is asked of Stripe, and what its answers mean."""
