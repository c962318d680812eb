"""Figures as guests print them, and tables of them, as Markdown and as kept data."""
import re


def lines_of(output, word, least_wanted=False):
    """Figures by name: the last number of each line, the mean, or the first of two, the least."""
    found = re.findall(rf"{word} (\w+) ([\d.]+)(?: ([\d.]+))?$", output, re.M)
    return {name: float(least if least_wanted else mean or least) for name, least, mean in found}


class Table:
    """Rows of names, columns of places; the first column is what the others are compared with."""

    def __init__(self, title, note="", ratios=True):
        self.title, self.note, self.ratios, self.rows, self.columns = title, note, ratios, {}, []
        self.troubles = []
        self.section = self.version = None  # who measured it, and what

    def add(self, column, figures):
        """More figures of a column; None is one that could not be had."""
        if column not in self.columns:
            self.columns.append(column)
        for name, value in figures.items():
            self.rows.setdefault(name, {})[column] = value

    def markdown(self, newest=None):
        """`newest`: the version that need not be told."""
        if not self.rows:
            return "\n".join(self.troubles_told())
        ratios = self.ratios and len(self.columns) > 1
        head, line = ["what"], ["---"]
        for column in self.columns:
            head.append(column)
            line.append("---:")
            if ratios and column != self.columns[0]:
                head.append("ratio")
                line.append("---:")
        lines = [f"### {self.title}", ""] + ([self.note, ""] if self.note else [])
        if newest and self.version != newest:
            lines += [f"Measured with {self.version}.", ""]
        lines += [cells(head), cells(line)]
        lines += [cells([name] + self.row(values, ratios)) for name, values in self.rows.items()]
        return "\n".join(lines + self.troubles_told()) + "\n"

    def troubles_told(self):
        return [f"\nNot measured: {trouble}" for trouble in self.troubles]

    def row(self, values, ratios):
        out, base = [], values.get(self.columns[0])
        for column in self.columns:
            value = values.get(column)
            out.append(number(value))
            if ratios and column != self.columns[0]:
                out.append(f"{value / base:.3f}" if value is not None and base else "")
        return out

    def data(self):
        return dict(vars(self))

    @staticmethod
    def of(data):
        """The table that data() told."""
        table = Table(data["title"])
        vars(table).update(data)
        return table


def tables_merge(kept, new, sections):
    """All tables in the order of `sections`: of each that was measured anew its new ones, else those kept."""
    measured = {table.section for table in new}
    old = [table for table in kept if table.section not in measured]
    return [table for section in sections for table in old + new if table.section == section]


def cells(words):
    return "| " + " | ".join(words) + " |"


def number(value):
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return f"{value:,.2f}" if value < 100 and value != int(value) else f"{value:,.0f}"
