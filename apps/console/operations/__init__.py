"""What auditors and offices do in their pages: each is one call of the domain."""
