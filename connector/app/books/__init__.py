"""``connector book``: a local order book in the terminal, drawn as a ladder."""
