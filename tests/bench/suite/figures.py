"""Figures of a run: each by scenario, case, column (who or what was measured), name and round."""
import statistics
from collections import namedtuple

Told = namedtuple("Told", "median least most rounds")


def told(values):
    return Told(statistics.median(values), min(values), max(values), len(values)) if values else None


class Figures:
    def __init__(self):
        self.values = {}  # (scenario, case, column, name) → {round: [value, …]}

    def note(self, scenario, case, column, turn, name, value):
        self.values.setdefault((scenario, case, column, name), {}).setdefault(turn, []).append(value)

    def told(self, scenario, case, column, name):
        rounds = self.values.get((scenario, case, column, name), {})
        return told([value for values in rounds.values() for value in values])

    def ratio(self, scenario, case, column, other, name):
        """Of each round by itself, since its measures were made within moments of each other."""
        one = self.values.get((scenario, case, column, name), {})
        two = self.values.get((scenario, case, other, name), {})
        return told([statistics.median(one[turn]) / statistics.median(two[turn])
                     for turn in one if turn in two and statistics.median(two[turn]) > 0])

    def raw(self):
        """One line a value: scenario, case, column, round, name, value, with tabs between."""
        for (scenario, case, column, name), rounds in self.values.items():
            for turn, values in rounds.items():
                for value in values:
                    yield f"{scenario}\t{case}\t{column}\t{turn}\t{name}\t{value:.9g}"
