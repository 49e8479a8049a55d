"""SMPP 3.4 as an ESME: a pure codec, a pure session, and the asyncio shell around them."""
