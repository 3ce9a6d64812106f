"""``connector demo --maker``: the market maker on a screen, as lines, or as JSON."""

from __future__ import annotations

from functools import partial

from connector.app.demo.maker import MakerOptions, MakerReport, MakerScreen, run_maker
from connector.app.demo.maker_screen import MakerDashboard, MakerLines, MakerNowhere, summary
from connector.app.demo.showing import Demo


def show_maker(options: MakerOptions, *, as_json: bool) -> int:
    """Run it and show it; the exit status, 1 if a promise was broken."""
    demo = Demo[MakerScreen, MakerReport](
        run=partial(run_maker, options),
        dashboard=MakerDashboard,
        lines=MakerLines,
        nowhere=MakerNowhere,
        summary=summary,
    )
    return demo.show(as_json=as_json)
