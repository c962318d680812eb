"""Tables of figures, as Markdown."""


class Table:
    """Rows of names, columns of places; the first column is what the others are compared with."""

    def __init__(self, title, note=""):
        self.title, self.note, self.rows, self.columns = title, note, {}, []

    def add(self, column, figures):
        self.columns.append(column)
        for name, value in figures.items():
            self.rows.setdefault(name, {})[column] = value

    def markdown(self, ratios=True):
        if not self.rows:
            return ""
        head, line = ["what"], ["---"]
        for column in self.columns:
            head.append(column)
            line.append("---:")
            if ratios and column != self.columns[0]:
                head.append("ratio")
                line.append("---:")
        lines = [f"### {self.title}", ""] + ([self.note, ""] if self.note else [])
        lines += [cells(head), cells(line)]
        lines += [cells([name] + self.row(values, ratios)) for name, values in self.rows.items()]
        return "\n".join(lines) + "\n"

    def row(self, values, ratios):
        out, base = [], values.get(self.columns[0])
        for column in self.columns:
            value = values.get(column)
            out.append(number(value))
            if ratios and column != self.columns[0]:
                out.append(f"{value / base:.3f}" if value is not None and base else "")
        return out

    def data(self):
        return {"title": self.title, "rows": self.rows}


def cells(words):
    return "| " + " | ".join(words) + " |"


def number(value):
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return f"{value:,.2f}" if value < 100 and value != int(value) else f"{value:,.0f}"
