"""``connector demo``: an adapter on a simulated exchange that breaks its connections.

`market` and `network` set the stage, `demo` runs it, `observations` and `snapshot` measure,
`dashboard`, `plain_output` and `svg_picture` show; `leaky` is the original bug beside it.
"""
