"""The network in memory, its ledger, and a server's end of a connection.

`network` is a dialer and a listener in virtual time, `pipe` one direction of a connection,
`ledger` what was dialled and closed, `server_end` and `server_websocket` what a server needs.
"""
