"""A simulated Hyperliquid: public data of perpetuals and spot.

`kit` has the tables, `dialect` reads requests, `symbol_topics` writes the subscriptions of a coin,
`info` answers questions over HTTP. Written from the notes of the venue, not from the client's code.
"""
