"""Reading the text format of Prometheus."""

import re

_SAMPLE = re.compile(r'([a-z_:][a-z0-9_:]*)(?:\{(.*)\})? (\S+)', re.I)
_LABEL = re.compile(r'([a-z_]+)="([^"\\]*)"')


class Metrics:
    """One scrape of an instance."""

    def __init__(self, api):
        self.answer = api.get("/metrics").must_be(200)
        self.samples: dict[tuple[str, frozenset], float] = {}
        for line in self.answer.text.splitlines():
            if line.startswith("#"):
                continue
            found = _SAMPLE.fullmatch(line)
            assert found, f"not a sample: {line!r}"
            key = found[1], frozenset(_LABEL.findall(found[2] or ""))
            assert key not in self.samples, f"twice: {line}"
            self.samples[key] = float(found[3])

    def get(self, name: str, **labels) -> float | None:
        return self.samples.get((name, frozenset((key, str(value)) for key, value in labels.items())))

    def requests(self, method: str, route: str, status: int) -> int:
        return int(self.get("leads_http_requests_total", method=method, route=route, status=status) or 0)

    def registrations(self) -> dict[str, int]:
        return {labels["outcome"]: int(value) for labels, value in self.all("leads_registrations_total")}

    def all(self, name: str) -> list[tuple[dict, float]]:
        """Every sample of a metric: its labels and its value."""
        return [(dict(labels), value) for (each, labels), value in self.samples.items() if each == name]

    @property
    def series(self) -> set:
        return set(self.samples)

    def since(self, before: "Metrics") -> dict[tuple, float]:
        """What rose or fell, by method, route and status for requests."""
        def counts(metrics):
            return {(labels["method"], labels["route"], int(labels["status"])): value
                    for labels, value in metrics.all("leads_http_requests_total")}

        old = counts(before)
        return {key: value - old.get(key, 0) for key, value in counts(self).items() if value != old.get(key, 0)}
