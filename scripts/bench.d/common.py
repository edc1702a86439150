# SPDX-License-Identifier: GPL-2.0-or-later
#
# What all of scripts/bench.d needs: commands in machines, tables, bars, and where results go.

import os
import subprocess
import sys


class Failed(Exception):
    """A measurement could not be made; the text says why, in one line."""


class Machines:
    """Runs a shell command on a machine by a prefix of words."""

    def __init__(self, prefix):
        self.prefix = prefix

    def attempt(self, machine, command, timeout_s=None):
        """Its output; raises Failed with the last of what it said if it fails or takes too long."""
        words = [w.replace("MACHINE", machine) for w in self.prefix] + ["sh", "-c", command]
        try:
            done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=timeout_s, check=False)
        except subprocess.TimeoutExpired:
            raise Failed(f"not done after {timeout_s:.0f} s") from None
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise Failed(f"{said[-1] if said else 'no word'} (status {done.returncode})")
        return done.stdout.strip()

    def run(self, machine, command, check=True):
        """Its output; without it there is nothing to measure, so the run ends if it fails."""
        words = [w.replace("MACHINE", machine) for w in self.prefix] + ["sh", "-c", command]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if check and done.returncode:
            sys.exit(f"bench: {machine}: {command}\n{done.stdout}{done.stderr}")
        return done.stdout.strip()


def busy_us(machines, machine):
    """CPU time that a machine has spent on anything, in microseconds."""
    fields = machines.run(machine, "head -1 /proc/stat").split()[1:]
    idle = int(fields[3]) + int(fields[4])
    return (sum(int(f) for f in fields[:8]) - idle) * 10000


def introduce(machines, one, other):
    """Makes two machines peers of each other by their keys."""
    keys = {m: machines.run(m, "superdev key") for m in (one, other)}
    for machine, peer in ((one, other), (other, one)):
        machines.run(machine, f"superdev peer show {peer} >/dev/null 2>&1 || "
                              f"superdev peer add {peer} key {keys[peer]} address {peer}")


def markdown(head, rows):
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


COLOURS = ("#7aa6c2", "#c2887a", "#8aa67a")


def bars(title, legend, groups, left=170):
    """An SVG of bars with a line at 1.0.

    groups: pairs of a name and the values, one for each of legend; a value is a number, or
    the text that stands where the bar cannot.
    """
    width, bar = 760, 17
    row = bar * len(legend) + 12
    numbers = [v for _, values in groups for v in values if not isinstance(v, str)]
    most = max([2.0] + [v * 1.1 for v in numbers])
    scale = (width - left - 70) / most
    height = row * len(groups) + 90
    svg = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
           'font-family="sans-serif" font-size="13">', f'<rect width="{width}" height="{height}" fill="#fff"/>',
           f'<text x="{left}" y="22" font-weight="bold">{title}</text>']
    for index, (name, colour) in enumerate(zip(legend, COLOURS)):
        svg.append(f'<rect x="{left + index * 140}" y="32" width="12" height="12" fill="{colour}"/>'
                   f'<text x="{left + 18 + index * 140}" y="43">{name}</text>')
    for n, (name, values) in enumerate(groups):
        top = 58 + n * row
        svg.append(f'<text x="{left - 10}" y="{top + row / 2}" text-anchor="end">{name}</text>')
        for index, (value, colour) in enumerate(zip(values, COLOURS)):
            if isinstance(value, str):
                svg.append(f'<text x="{left + 5}" y="{top + 12 + index * bar}" fill="#a33">{value}</text>')
                continue
            svg.append(f'<rect x="{left}" y="{top + index * bar}" width="{value * scale:.1f}" height="{bar - 2}" '
                       f'fill="{colour}"/><text x="{left + value * scale + 5:.1f}" '
                       f'y="{top + 12 + index * bar}">{value:.2f}</text>')
    x = left + scale
    svg.append(f'<line x1="{x:.1f}" y1="52" x2="{x:.1f}" y2="{height - 24}" stroke="#333" stroke-dasharray="4 3"/>'
               f'<text x="{x:.1f}" y="{height - 8}" text-anchor="middle">1.0</text></svg>')
    return "\n".join(svg) + "\n"


def write_results(base, texts):
    """texts: {suffix: text}; prints the table and where all went."""
    os.makedirs(os.path.dirname(base) or ".", exist_ok=True)
    for suffix, text in texts.items():
        with open(base + suffix, "w", encoding="utf-8") as file:
            file.write(text)
    print(texts[".md"])
    print("written: " + ", ".join(base + suffix for suffix in texts))
