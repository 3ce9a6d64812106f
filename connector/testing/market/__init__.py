"""The market data of a simulated exchange: a made-up order flow, or captured traffic.

`order_flow` runs seeded `traders` on a `matching` book per symbol, and `symbol_streams` turns
their actions into `payloads` and `candles`. `capture` plays recorded traffic. Both publish to the
`audience`, which knows the subscribers.
"""
