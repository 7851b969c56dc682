"""Print a week of a gateway's log, made up: four routes, each with the ceiling that it sends."""

from __future__ import annotations

import json
import math
import random
from statistics import NormalDist

START = 1_780_272_000  # 2026-06-01
# route: share of the calls, ceiling, median of the answers, spread of their logarithm
ROUTES = {
    "chat": (0.4, 4096, 310, 0.6),
    "summary": (0.3, 512, 260, 0.35),
    "extract": (0.2, 256, 95, 0.35),
    "reason": (0.1, 4096, 2300, 0.7),
}


def main() -> None:
    """Print one payload a line, as LiteLLM's standard logging writes it, without any text."""
    draw = random.Random(1)
    normal = NormalDist()
    for number in range(1500):
        [route] = draw.choices(list(ROUTES), [share for share, *_ in ROUTES.values()])
        _, ceiling, median, spread = ROUTES[route]
        wanted = round(median * math.exp(spread * normal.inv_cdf(draw.uniform(1e-6, 1 - 1e-6))))
        payload = {
            "id": f"call-{number}",
            "call_type": "acompletion",
            "status": "success",
            "model": "gpt-5-mini",
            "endTime": START + 400 * number,
            "request_tags": [route],
            "prompt_tokens": draw.randrange(200, 4000),
            "completion_tokens": min(wanted, ceiling),
            "model_parameters": {"max_tokens": ceiling},
            "response": {"choices": [{"finish_reason": "length" if wanted > ceiling else "stop"}]},
        }
        print(json.dumps(payload))


if __name__ == "__main__":
    main()
