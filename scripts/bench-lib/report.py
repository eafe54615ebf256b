# SPDX-License-Identifier: GPL-2.0-or-later
"""Medians of paired ratios, the table and the picture, from a result."""
import math
import statistics
from xml.sax.saxutils import escape


def ratios(samples, row):
    """metric(a) / metric(b), one for each round that has both."""
    out = []
    for measured in samples:
        a, b = (measured.get("/".join(key), {}).get(row.metric)
                for key in (row.a, row.b))
        if a and b:
            out.append(a / b)
    return out


def evaluate(result, rows):
    """The rows as they are printed and drawn."""
    out = []
    for row in rows:
        values = ratios(result["rounds"], row)
        if not values:
            reason = result["missing"].get("/".join(row.a[::2])) or \
                result["missing"].get("/".join(row.b[::2]))
            if reason or row.limit is not None and asked(result, row):
                out.append({"name": row.name, "missing": reason or "no value",
                            "unit": "x",
                            "limit": row.limit, "at_least": row.at_least})
            continue
        absolute = [statistics.median(
            m["/".join(key)][row.metric] for m in result["rounds"]
            if "/".join(key) in m) for key in (row.a, row.b)]
        out.append({
            "name": row.name, "metric": row.metric, "unit": "x",
            "value": statistics.median(values), "low": min(values),
            "high": max(values), "rounds": len(values), "a": absolute[0],
            "b": absolute[1], "limit": row.limit, "at_least": row.at_least})
    for row in result.get("memory", []):
        out.append(dict({"at_least": False, "unit": ""}, **row))
    for row in out:
        if "value" in row and row["limit"] is not None:
            row["reached"] = (row["value"] >= row["limit"] if row["at_least"]
                              else row["value"] <= row["limit"])
    return out


def asked(result, row):
    """Whether this run was to measure it at all."""
    return any(key.startswith(row.a[0] + "/") for r in result["rounds"] for key in r)


def number(value, metric=None):
    if value is None:
        return ""
    if metric in ("p50_ns", "p99_ns", "p999_ns", "device_cpu_ns_per_io"):
        return "%.2f us" % (value / 1e3)
    if abs(value) >= 100:
        return "{:,.0f}".format(value)
    return "%.3g" % value


def limit_text(row):
    if row["limit"] is None:
        return ""
    return "%s %s%s" % (">=" if row["at_least"] else "<=", number(row["limit"]),
                        row["unit"])


def verdict(row):
    if "missing" in row:
        return "missing: " + row["missing"].split(": ")[-1]
    if row["limit"] is None:
        return ""
    return "reached" if row["reached"] else "NOT reached"


def table(rows, head):
    lines = list(head) + [""]
    cells = [("row", "must reach", "measured", "range", "envme", "against", "")]
    for row in rows:
        if "missing" in row:
            cells.append((row["name"], limit_text(row), "-", "", "", "", verdict(row)))
            continue
        spread = "%s..%s" % (number(row["low"]), number(row["high"])) \
            if "low" in row else ""
        cells.append((row["name"], limit_text(row),
                      number(row["value"]) + row["unit"], spread,
                      number(row.get("a"), row.get("metric")),
                      number(row.get("b"), row.get("metric")), verdict(row)))
    width = [max(len(c[i]) for c in cells) for i in range(7)]
    for n, c in enumerate(cells):
        lines.append("  ".join(
            [c[0].ljust(width[0])] + [c[i].rjust(width[i]) for i in range(1, 6)] +
            [c[6]]).rstrip())
        if n == 0:
            lines.append("-" * (sum(width) + 12))
    good = sum(r.get("reached", False) for r in rows)
    asked = sum(r["limit"] is not None for r in rows)
    lines += ["", "%d of %d values reached" % (good, asked)]
    return "\n".join(lines) + "\n"


# --- the picture ---------------------------------------------------------------

LABEL, PLOT, LINE, TOP = 520, 480, 20, 64
REACHED, SHORT, INFO = "#2f7d4f", "#c4621b", "#8a8f98"


def _score(row, value):
    """How far from what must be reached; 1 is there, more is better."""
    limit = row["limit"] if row["limit"] else 1
    value = max(value, 1e-9)
    return value / limit if row["at_least"] else limit / value


def _x(score):
    """From a sixteenth to sixteen times, logarithmic."""
    at = min(max(math.log2(max(score, 1e-9)), -4), 4)
    return LABEL + PLOT * (at + 4) / 8


def chart(rows, head):
    """Bars of measured against what must be reached, as SVG."""
    rows = [r for r in rows if "value" in r and r["limit"]]
    height = TOP + LINE * len(rows) + 34
    middle = _x(1)
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" '
           'font-family="sans-serif" font-size="11">' % (LABEL + PLOT + 150, height),
           '<rect width="100%" height="100%" fill="white"/>']

    def text(x, y, what, anchor="start", more=""):
        out.append('<text x="%.1f" y="%.1f" text-anchor="%s"%s>%s</text>' % (
            x, y, anchor, more, escape(what)))

    text(10, 20, head[0], more=' font-size="14" font-weight="bold"')
    text(10, 36, "; ".join(head[1:3]), more=' fill="#555"')
    for power in range(-4, 5):
        x = _x(2.0 ** power)
        out.append('<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="%s"/>' % (
            x, x, TOP - 6, height - 28, "#333" if power == 0 else "#e4e4e4"))
        label = "must reach" if power == 0 else (
            "%dx" % 2 ** power if power > 0 else "1/%d" % 2 ** -power)
        text(x, TOP - 10, label, "middle")
    for n, row in enumerate(rows):
        y = TOP + LINE * n
        x = _x(_score(row, row["value"]))
        color = REACHED if row["reached"] else SHORT
        text(LABEL - 8, y + 13, row["name"], "end")
        out.append('<rect x="%.1f" y="%d" width="%.1f" height="12" fill="%s"/>' % (
            min(x, middle), y + 3, max(abs(x - middle), 1), color))
        if "low" in row:
            ends = sorted(_x(_score(row, row[k])) for k in ("low", "high"))
            out.append('<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#111"/>' % (
                ends[0], ends[1], y + 9, y + 9))
        text(LABEL + PLOT + 8, y + 13, "%s%s (%s)" % (
            number(row["value"]), row["unit"], limit_text(row)))
    text(10, height - 10, "Bars to the right of the line: better than must be "
         "reached. Thin lines: lowest and highest round.", more=' fill="#555"')
    out.append("</svg>")
    return "\n".join(out) + "\n"
