"""A simulated Coinbase Advanced Trade: public data of spot and futures.

`kit` has the tables, `dialect` reads requests and numbers messages, `symbol_topics` writes the
channels of a product, `rest` answers requests. Written from the notes of the venue, not from the
client's code.
"""
