"""Figures as text, as JSON and as a table in Markdown."""
import json

WAITED = "server_waited_%"
WAITED_MUCH = 10


def short(value):
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    for bound, digits in ((10, 1), (1, 2), (0.1, 3)):
        if size >= bound:
            return f"{value:.{digits}f}"
    return "0" if value == 0 else f"{value:.4f}"


def text_of(told, unit=1):
    if told is None:
        return "-"
    text = short(told.median / unit)
    return text if told.rounds == 1 else f"{text} ({short(told.least / unit)} to {short(told.most / unit)})"


def aligned(rows, indent=""):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


class Report:
    def __init__(self, figures, scenarios, machine, versions, cores, command):
        self.figures, self.scenarios = figures, scenarios
        self.machine, self.versions, self.cores, self.command = machine, versions, cores, command

    def ratios(self):
        """(scenario, case, row, column, other, told)"""
        for scenario in self.scenarios:
            for case in scenario.cases:
                for row in case.rows:
                    for column, other in scenario.pairs if row.ratio else []:
                        told = self.figures.ratio(scenario.name, case.name, column, other, row.figure)
                        if told:
                            yield scenario, case, row, column, other, told

    def disturbed(self):
        for scenario, case, column, name in self.figures.values:
            if name == WAITED and self.figures.told(scenario, case, column, name).median > WAITED_MUCH:
                return True
        return False

    # --- text ---

    def absolute_of(self, scenario):
        yield ""
        yield f"{scenario.name}: {scenario.sentence}"
        yield from scenario.remarks
        for case in scenario.cases:
            rows = [[case.name, *scenario.columns]]
            for row in case.rows:
                cells = [text_of(self.figures.told(scenario.name, case.name, column, row.figure), row.unit)
                         for column in scenario.columns]
                if any(cell != "-" for cell in cells):
                    rows.append(["  " + row.label, *cells])
            if len(rows) > 1:
                yield ""
                yield from aligned(rows)

    def text(self):
        rows = [[scenario.name, case.name, row.ratio, f"{column} / {other}", text_of(told)]
                for scenario, case, row, column, other, told in self.ratios()]
        if rows:
            yield "Ratios: median of the rounds (least to most)"
            yield ""
            yield from aligned(rows)
            yield ""
        yield self.machine
        yield self.cores
        yield ", ".join(self.versions)
        for scenario in self.scenarios:
            yield from self.absolute_of(scenario)
        if self.disturbed():
            yield ""
            yield "Other work kept a server from its core: speeds and delays are worse than they would be, CPU a little."

    # --- JSON ---

    def json(self):
        def fields(told):
            return {"median": told.median, "least": told.least, "most": told.most, "rounds": told.rounds}

        return json.dumps({
            "machine": self.machine, "cores": self.cores, "versions": self.versions, "command": self.command,
            "ratios": [{"scenario": scenario.name, "case": case.name, "figure": row.figure, "of": column,
                        "to": other, **fields(told)}
                       for scenario, case, row, column, other, told in self.ratios()],
            "figures": [{"scenario": scenario, "case": case, "column": column, "figure": name,
                         **fields(self.figures.told(scenario, case, column, name))}
                        for scenario, case, column, name in self.figures.values],
        }, indent=1, ensure_ascii=False) + "\n"

    # --- Markdown ---

    def markdown(self):
        yield "| scenario | case | figure | measured | held against | ratio |"
        yield "|---|---|---|---|---|---|"
        for scenario, case, row, column, other, told in self.ratios():
            one, two = (text_of(self.figures.told(scenario.name, case.name, who, row.figure), row.unit)
                        for who in (column, other))
            yield (f"| {scenario.name} | {case.name} | {row.label} | {column}: {one} | {other}: {two} "
                   f"| **{text_of(told)}** |")
        yield ""
        yield f"Median of the rounds (least to most). {self.machine}; {self.cores}; {', '.join(self.versions)}."
        yield ""
        yield f"    {self.command}"
