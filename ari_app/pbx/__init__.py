"""Everything that talks to Asterisk: finding and starting one, its configuration, and a typed ARI client.

Knows nothing of leads, policies or texts: channels, bridges and endpoints come and go here; what they mean is decided
in ``ari_app/calls``.
"""
