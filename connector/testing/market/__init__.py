"""What a simulated exchange plays: a made-up order flow, or captured traffic.

`order_flow` runs seeded `traders` on a `matching` book per symbol; `symbol_streams` turns what
happens into `payloads` and `candles`; `capture` plays recorded traffic; both publish to the
`audience`, which knows who listens.
"""
