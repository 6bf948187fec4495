"""What a scenario is to the report: columns of figures, and which of them are held against which."""
from dataclasses import dataclass, field


@dataclass
class Row:
    label: str
    figure: str
    unit: float = 1
    ratio: str = ""  # what the ratio of this figure is called; empty: it has none


@dataclass
class Case:
    name: str
    rows: list


@dataclass
class Scenario:
    name: str
    sentence: str  # what was measured
    columns: list = field(default_factory=list)
    pairs: list = field(default_factory=list)  # (column, the column it is held against)
    cases: list = field(default_factory=list)
    remarks: list = field(default_factory=list)  # what stood in the way

    def case(self, name, rows):
        if not any(case.name == name for case in self.cases):
            self.cases.append(Case(name, rows))


def number(value):
    return f"{value:,}"


def plural(count, noun):
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def size(count):
    return f"{count // 1024} KiB" if count % 1024 == 0 else f"{count} B"
