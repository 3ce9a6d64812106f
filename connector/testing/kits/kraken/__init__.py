"""A simulated Kraken: spot (WebSocket v2) and futures (WebSocket v1).

`kit` has the tables, the dialects read requests, the desks write the streams of a symbol, `rest`
answers requests. Written from the notes of the venue, not from the client's code.
"""
