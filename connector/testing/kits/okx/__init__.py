"""A simulated OKX: public data of spot and swaps.

`kit` has the tables, `dialect` reads requests, `desk` writes the streams of a symbol, `rest`
answers requests. Written from the notes of the venue, not from the client's code.
"""
