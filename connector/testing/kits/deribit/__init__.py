"""A simulated Deribit: public data of perpetuals, futures, options and spot.

`kit` has the tables, `dialect` reads requests, `symbol_topics` writes the channels of an
instrument, `rest` answers requests. Written from the notes of the venue, not from the client's
code.
"""
