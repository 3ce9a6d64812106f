"""A simulated Bitget: spot and futures, v3 and v2.

`kit` has the tables, `dialect` reads requests, `symbol_topics` writes the streams of a symbol,
`rest` answers requests. Written from the notes of the venue, not from the client's code.
"""
