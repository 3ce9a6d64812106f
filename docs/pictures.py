"""Make the pictures of the live page again: ``nox -s pictures``.

It starts ``connector run --simulate`` on the loopback interface, lets it run for a while, and has a
headless Chromium photograph its page: on a desktop in the dark, and on a phone.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

STATIC = Path(__file__).parent / "_static"
URL = "127.0.0.1:9187"
CONFIGURATION = f"""\
[adapters.futures]
exchange = "binance_usdm"

[groups.market]
adapter = "futures"
channels = ["trades", "best_quote", "order_book:depth=20"]
symbols = ["ETHUSDC", "BTCUSDC"]
overflow = "conflate"

[[sinks]]
kind = "jsonl"
path = "events.jsonl"

[metrics]
bind = "{URL}"
"""
WARM_UP_SECONDS = 120.0
PICTURES = {"live-dark.png": (0, 1000, 1080), "live-phone.png": (1, 360, 1240)}
"""Colour scheme (0 is dark), width and height in pixels."""


def photograph(chromium: str, name: str, folder: Path) -> None:
    """Take one picture, with a palette of 64 colours so that it stays small."""
    scheme, width, height = PICTURES[name]
    raw = folder / name
    subprocess.run(
        [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            f"--blink-settings=preferredColorScheme={scheme}", "--virtual-time-budget=3000",
            f"--window-size={width},{height}", f"--screenshot={raw}", f"http://{URL}/",
        ],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    with Image.open(raw) as picture:
        picture.convert("RGB").quantize(64).save(STATIC / name, optimize=True)


def main() -> None:
    """Run the program and photograph it."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("chromium is not on PATH; install it to make the pictures")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "run.toml").write_text(CONFIGURATION)
        command = [sys.executable, "-m", "connector", "run", "run.toml", "--simulate"]
        running = subprocess.Popen(
            [*command, "--break-every", "25"], cwd=folder, stderr=subprocess.DEVNULL
        )
        try:
            time.sleep(WARM_UP_SECONDS)
            for picture in PICTURES:
                photograph(chromium, picture, folder)
        finally:
            running.terminate()
            running.wait(timeout=30)


if __name__ == "__main__":
    main()
